package tn.compta.kit.readiness;

import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthComponent;
import org.springframework.boot.actuate.health.HealthEndpoint;
import org.springframework.boot.actuate.health.Status;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/**
 * Holds readiness at 503 until each dependency has answered once.
 *
 * <p>Spring reports "ready" only after every {@link ApplicationRunner} has returned. A release with
 * a wrong database password therefore never becomes ready and its log says why, and the first
 * user's request does not pay for opening the pool. Afterwards a dependency's health is no part of
 * readiness: one slow moment of the database must not take every instance out at once.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class DependencyWait implements ApplicationRunner {

    private static final Logger LOG = LoggerFactory.getLogger(DependencyWait.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final List<String> names;
    private final HealthEndpoint health;
    private final ConfigurableApplicationContext context;

    /** @param names health contributors to wait for, such as {@code db} and {@code redis} */
    public DependencyWait(
            List<String> names, HealthEndpoint health, ConfigurableApplicationContext context) {
        this.names = List.copyOf(names);
        this.health = health;
        this.context = context;
    }

    @Override
    public void run(ApplicationArguments arguments) throws InterruptedException {
        for (String name : names) {
            awaitUp(name);
        }
    }

    private void awaitUp(String name) throws InterruptedException {
        while (context.isActive()) {
            HealthComponent component = health.healthForPath(name);
            if (component == null) {
                throw new IllegalStateException(
                        "compta.readiness.wait-for names \"" + name + "\", but there is no such "
                                + "health contributor; remove it or add its starter");
            }
            if (Status.UP.equals(component.getStatus())) {
                return;
            }
            LOG.warn("not ready: {} is {}: {}", name, component.getStatus(), reason(component));
            Thread.sleep(PAUSE.toMillis());
        }
    }

    private static Object reason(HealthComponent component) {
        return component instanceof Health detailed ? detailed.getDetails() : "";
    }
}
