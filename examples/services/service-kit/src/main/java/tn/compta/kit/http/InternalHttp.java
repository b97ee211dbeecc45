package tn.compta.kit.http;

import java.time.Duration;
import org.apache.hc.client5.http.SystemDefaultDnsResolver;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClientBuilder;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.core5.util.TimeValue;
import org.apache.hc.core5.util.Timeout;
import org.springframework.http.client.ClientHttpRequestFactory;
import org.springframework.http.client.HttpComponentsClientHttpRequestFactory;

/**
 * The HTTP client for calls from one service to another, which go through the host's Caddy.
 *
 * <p>It never sends a request twice: a repeated POST could be a second journal entry. Caddy, which
 * knows when a dial failed before a byte was sent, is the only one that may try again. An idle
 * connection is given up well before Caddy's side does (5 minutes), so that no request is written
 * into a connection that is being closed.
 */
public final class InternalHttp {

    private static final int CONNECTIONS_PER_SERVICE = 64;
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final Duration ANSWER = Duration.ofSeconds(30);
    private static final Duration IDLE = Duration.ofSeconds(30);

    private InternalHttp() {}

    /** The caller closes the client; as a Spring bean, Spring does. */
    public static CloseableHttpClient client() {
        var connections =
                PoolingHttpClientConnectionManagerBuilder.create()
                        .setDnsResolver(new LastingNames(SystemDefaultDnsResolver.INSTANCE))
                        .setMaxConnPerRoute(CONNECTIONS_PER_SERVICE)
                        .setMaxConnTotal(4 * CONNECTIONS_PER_SERVICE)
                        .setDefaultConnectionConfig(
                                ConnectionConfig.custom()
                                        .setConnectTimeout(Timeout.of(CONNECT))
                                        .setSocketTimeout(Timeout.of(ANSWER))
                                        .build())
                        .build();
        return HttpClientBuilder.create()
                .setConnectionManager(connections)
                .setDefaultRequestConfig(
                        RequestConfig.custom()
                                // On a busy machine a caller waits for its turn, as for the answer.
                                .setConnectionRequestTimeout(Timeout.of(ANSWER))
                                .setResponseTimeout(Timeout.of(ANSWER))
                                .build())
                .evictIdleConnections(TimeValue.of(IDLE))
                .disableAutomaticRetries()
                .disableRedirectHandling()
                .disableCookieManagement()
                .disableContentCompression()
                .disableAuthCaching()
                .build();
    }

    public static ClientHttpRequestFactory requestFactory(CloseableHttpClient client) {
        return new HttpComponentsClientHttpRequestFactory(client);
    }
}
