package tn.compta.kit.traffic;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.WriteOperation;

/**
 * {@code /actuator/traffic} on the management port: the deploy turns an instance away from new
 * traffic here, and waits here until the instance has finished what it was doing.
 */
@Endpoint(id = "traffic")
public final class TrafficEndpoint {

    private static final Logger LOG = LoggerFactory.getLogger(TrafficEndpoint.class);

    private final TrafficGate gate;

    public TrafficEndpoint(TrafficGate gate) {
        this.gate = gate;
    }

    /** What both operations answer. */
    public record Traffic(boolean accept, int inFlight, int streams) {}

    @ReadOperation
    public Traffic read() {
        return new Traffic(gate.isAccepting(), gate.inFlight(), gate.streams());
    }

    /** Idempotent: saying the same twice changes nothing. */
    @WriteOperation
    public Traffic write(boolean accept) {
        if (gate.isAccepting() != accept) {
            gate.setAccepting(accept);
            LOG.info("traffic: accept={} inFlight={}", accept, gate.inFlight());
        }
        return read();
    }
}
