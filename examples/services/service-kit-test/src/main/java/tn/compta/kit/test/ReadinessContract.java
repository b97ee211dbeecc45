package tn.compta.kit.test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalManagementPort;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.core.env.Environment;

/**
 * What a deploy relies on, over real HTTP. Every service's test extends this, so that every service
 * shows that it keeps the contract.
 */
@SpringBootTest(
        webEnvironment = WebEnvironment.RANDOM_PORT,
        properties = {"management.server.port=0", "COMPTA_VERSION=9.8.7-test"})
public abstract class ReadinessContract {

    protected static final HttpClient HTTP = HttpClient.newHttpClient();

    @LocalServerPort protected int port;
    @LocalManagementPort protected int managementPort;
    @Autowired private Environment environment;

    @AfterEach
    void acceptAgain() throws Exception {
        traffic(true);
    }

    @Test
    void isReadyAndAlive() throws Exception {
        assertThat(management("/actuator/health/readiness").statusCode()).isEqualTo(200);
        assertThat(management("/actuator/health/liveness").statusCode()).isEqualTo(200);
        assertThat(management("/actuator/health").statusCode()).isEqualTo(200);
    }

    @Test
    void saysWhichReleaseAnswers() throws Exception {
        HttpResponse<String> answer = send(request(versionPath()).build());
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body())
                .isEqualTo(
                        "{\"service\":\"%s\",\"version\":\"9.8.7-test\"}"
                                .formatted(environment.getProperty("spring.application.name")));
    }

    @Test
    void turnsReadinessOffWhileItStillServesAndOnAgain() throws Exception {
        assertThat(traffic(false).body()).startsWith("{\"accept\":false,\"inFlight\":");
        awaitTraffic("{\"accept\":false,\"inFlight\":0,\"streams\":0}");
        assertThat(management("/actuator/health/readiness").statusCode()).isEqualTo(503);
        assertThat(management("/actuator/health/liveness").statusCode()).isEqualTo(200);
        assertThat(send(request(versionPath()).build()).statusCode()).isEqualTo(200);

        assertThat(traffic(true).body()).startsWith("{\"accept\":true,\"inFlight\":");
        awaitTraffic("{\"accept\":true,\"inFlight\":0,\"streams\":0}");
        assertThat(management("/actuator/health/readiness").statusCode()).isEqualTo(200);
    }

    @Test
    void doesNotCountWhatTheManagementPortServes() {
        awaitTraffic("{\"accept\":true,\"inFlight\":0,\"streams\":0}");
    }

    @Test
    void keepsTheManagementEndpointsOffTheApplicationPort() throws Exception {
        assertThat(send(request("/actuator/health").build()).statusCode()).isIn(401, 404);
        assertThat(management("/actuator/env").statusCode()).isEqualTo(404);
    }

    protected final HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    }

    protected final HttpRequest postJson(String path, String token, String body) {
        HttpRequest.Builder request =
                request(path)
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString(body));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request.build();
    }

    protected final HttpRequest get(String path, String token) {
        return request(path).header("Authorization", "Bearer " + token).build();
    }

    protected static HttpResponse<String> send(HttpRequest request)
            throws IOException, InterruptedException {
        return HTTP.send(request, BodyHandlers.ofString());
    }

    protected final HttpResponse<String> management(String path)
            throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(managementUri(path)).build());
    }

    protected final HttpResponse<String> traffic(boolean accept)
            throws IOException, InterruptedException {
        return send(
                HttpRequest.newBuilder(managementUri("/actuator/traffic"))
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString("{\"accept\":" + accept + "}"))
                        .build());
    }

    /** A client has its whole answer a moment before the request is over. */
    private void awaitTraffic(String expected) {
        await().untilAsserted(
                        () ->
                                assertThat(management("/actuator/traffic").body())
                                        .isEqualTo(expected));
    }

    private URI managementUri(String path) {
        return URI.create("http://127.0.0.1:" + managementPort + path);
    }

    private String versionPath() {
        return environment.getProperty("compta.api-path") + "/version";
    }
}
