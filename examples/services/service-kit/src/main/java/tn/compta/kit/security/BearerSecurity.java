package tn.compta.kit.security;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Clock;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;

/** A service that holds data imports this; the gateway does not, it only passes tokens on. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(JwtProperties.class)
public class BearerSecurity {

    @Bean
    Tokens tokens(JwtProperties properties) {
        return new Tokens(properties, Clock.systemUTC());
    }

    @Bean
    FilterRegistrationBean<BearerTokenFilter> bearerTokenFilter(
            Tokens tokens,
            ObjectMapper json,
            @Value("${compta.api-path}/version") String versionPath,
            @Value("${compta.security.open-paths:}") List<String> openPaths) {
        Set<String> open = new HashSet<>(openPaths);
        open.add(versionPath);
        var registration =
                new FilterRegistrationBean<>(new BearerTokenFilter(tokens, open, json));
        registration.setOrder(Ordered.HIGHEST_PRECEDENCE + 100);
        return registration;
    }
}
