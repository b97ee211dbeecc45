package tn.compta.gateway;

import static org.springframework.cloud.gateway.server.mvc.filter.BeforeFilterFunctions.uri;
import static org.springframework.cloud.gateway.server.mvc.handler.GatewayRouterFunctions.route;
import static org.springframework.cloud.gateway.server.mvc.handler.HandlerFunctions.http;
import static org.springframework.cloud.gateway.server.mvc.predicate.GatewayRequestPredicates.path;

import java.net.SocketTimeoutException;
import java.net.URI;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ProblemDetail;
import org.springframework.http.client.ClientHttpRequestFactory;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.servlet.function.RouterFunction;
import org.springframework.web.servlet.function.ServerRequest;
import org.springframework.web.servlet.function.ServerResponse;
import tn.compta.kit.http.InternalHttp;

/** Which path goes to which service. Bodies are streamed; nothing is ever sent twice. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(Routes.Targets.class)
class Routes {

    private static final Logger LOG = LoggerFactory.getLogger(Routes.class);

    /** Where the services are: on a server, Caddy's names over both slots of each. */
    @ConfigurationProperties("compta.routes")
    record Targets(URI auth, URI accounting, URI reporting) {}

    @Bean(destroyMethod = "close")
    CloseableHttpClient internalHttp() {
        return InternalHttp.client();
    }

    @Bean
    ClientHttpRequestFactory gatewayRequestFactory(CloseableHttpClient client) {
        return InternalHttp.requestFactory(client);
    }

    @Bean
    RouterFunction<ServerResponse> services(Targets targets) {
        return service("auth", targets.auth())
                .and(service("accounting", targets.accounting()))
                .and(service("reporting", targets.reporting()));
    }

    private static RouterFunction<ServerResponse> service(String name, URI target) {
        return route(name)
                .route(path("/api/" + name + "/**"), http())
                .before(uri(target))
                .onError(ResourceAccessException.class, Routes::unreachable)
                .build();
    }

    /** The service may or may not have done what was asked: the caller is told, not served again. */
    private static ServerResponse unreachable(Throwable e, ServerRequest request) {
        LOG.warn("{} {}: no answer from the service", request.method(), request.path(), e);
        HttpStatus status =
                e.getCause() instanceof SocketTimeoutException
                        ? HttpStatus.GATEWAY_TIMEOUT
                        : HttpStatus.BAD_GATEWAY;
        return ServerResponse.status(status)
                .contentType(MediaType.APPLICATION_PROBLEM_JSON)
                .body(ProblemDetail.forStatusAndDetail(status, "The service gave no answer."));
    }
}
