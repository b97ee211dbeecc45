package tn.compta.kit;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.core.Ordered;
import tn.compta.kit.problem.ProblemAdvice;
import tn.compta.kit.readiness.Dependency;
import tn.compta.kit.readiness.DependencyWait;
import tn.compta.kit.traffic.EventStreams;
import tn.compta.kit.traffic.InFlightFilter;
import tn.compta.kit.traffic.TrafficEndpoint;
import tn.compta.kit.traffic.TrafficGate;
import tn.compta.kit.traffic.TrafficHealthIndicator;
import tn.compta.kit.version.VersionController;

/** What a service gets by having the kit on its class path; settings are in service-kit.yml. */
@AutoConfiguration
@Import({ProblemAdvice.class, VersionController.class})
public class ServiceKitAutoConfiguration {

    @Bean
    TrafficGate trafficGate() {
        return new TrafficGate();
    }

    /** Outermost, so that an answer written by another filter is counted too. */
    @Bean
    FilterRegistrationBean<InFlightFilter> inFlightFilter(TrafficGate gate) {
        var registration = new FilterRegistrationBean<>(new InFlightFilter(gate));
        registration.setOrder(Ordered.HIGHEST_PRECEDENCE);
        return registration;
    }

    @Bean
    EventStreams eventStreams() {
        return new EventStreams();
    }

    @Bean
    TrafficEndpoint trafficEndpoint(TrafficGate gate) {
        return new TrafficEndpoint(gate);
    }

    @Bean
    TrafficHealthIndicator trafficHealthIndicator(TrafficGate gate) {
        return new TrafficHealthIndicator(gate);
    }

    @Bean
    DependencyWait dependencyWait(
            ObjectProvider<Dependency> dependencies, ConfigurableApplicationContext context) {
        return new DependencyWait(dependencies.orderedStream().toList(), context);
    }
}
