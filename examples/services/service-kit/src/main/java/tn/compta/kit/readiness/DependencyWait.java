package tn.compta.kit.readiness;

import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/**
 * Holds readiness at 503 until each dependency has answered once.
 *
 * <p>Spring reports "ready" only after every {@link ApplicationRunner} has returned. A release with
 * a wrong database password therefore never becomes ready and its last log line says why, and the
 * first user's request does not pay for opening the pool. Afterwards a dependency's health is no
 * part of readiness: one slow moment of the database must not take every instance out at once.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class DependencyWait implements ApplicationRunner {

    private static final Logger LOG = LoggerFactory.getLogger(DependencyWait.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final List<Dependency> dependencies;
    private final ConfigurableApplicationContext context;

    public DependencyWait(List<Dependency> dependencies, ConfigurableApplicationContext context) {
        this.dependencies = List.copyOf(dependencies);
        this.context = context;
    }

    @Override
    public void run(ApplicationArguments arguments) throws InterruptedException {
        for (Dependency dependency : dependencies) {
            while (context.isActive() && !reached(dependency)) {
                Thread.sleep(PAUSE.toMillis());
            }
        }
    }

    private boolean reached(Dependency dependency) throws InterruptedException {
        try {
            dependency.reach();
            return true;
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            // While the service is being stopped its pool is closed: that is not the reason.
            if (context.isActive()) {
                Throwable reason = NestedExceptionUtils.getMostSpecificCause(e);
                LOG.warn("not ready: {}: {}", dependency.name(), reason.toString());
            }
            return false;
        }
    }
}
