package tn.compta.kit.traffic;

import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/** Member of the readiness group: 503 as soon as the gate no longer accepts. */
public final class TrafficHealthIndicator implements HealthIndicator {

    private final TrafficGate gate;

    public TrafficHealthIndicator(TrafficGate gate) {
        this.gate = gate;
    }

    @Override
    public Health health() {
        return gate.isAccepting() ? Health.up().build() : Health.outOfService().build();
    }
}
