package tn.compta.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tn.compta.kit.test.ReadinessContract;

class ApiGatewayTest extends ReadinessContract {

    private static final CountDownLatch FIRST_BYTE = new CountDownLatch(1);
    private static HttpServer service;

    /** Takes a connection, reads some of the request and hangs up: the worst moment to retry. */
    private static ServerSocket hangsUp;

    private static final AtomicInteger HUNG_UP = new AtomicInteger();

    @BeforeAll
    static void startServices() throws Exception {
        service = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        service.setExecutor(Executors.newCachedThreadPool());
        service.createContext(
                "/api/auth/echo",
                exchange -> {
                    InputStream body = exchange.getRequestBody();
                    int first = body.read();
                    FIRST_BYTE.countDown();
                    String rest = new String(body.readAllBytes());
                    byte[] answer =
                            (exchange.getRequestMethod() + " " + exchange.getRequestURI() + " "
                                            + exchange.getRequestHeaders().getFirst("Authorization")
                                            + " " + (char) first + rest)
                                    .getBytes();
                    exchange.getResponseHeaders().set("X-From", "service");
                    exchange.sendResponseHeaders(418, answer.length);
                    exchange.getResponseBody().write(answer);
                    exchange.close();
                });
        service.start();
        hangsUp = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread accepting = new Thread(ApiGatewayTest::hangUp, "hangs-up");
        accepting.setDaemon(true);
        accepting.start();
    }

    private static void hangUp() {
        while (!hangsUp.isClosed()) {
            try (Socket socket = hangsUp.accept()) {
                HUNG_UP.incrementAndGet();
                socket.getInputStream().read(new byte[64]);
            } catch (IOException e) {
                return;
            }
        }
    }

    @AfterAll
    static void stopServices() throws Exception {
        service.stop(0);
        hangsUp.close();
    }

    @DynamicPropertySource
    static void targets(DynamicPropertyRegistry properties) {
        properties.add("compta.routes.auth", () -> url(service.getAddress().getPort()));
        properties.add("compta.routes.accounting", () -> url(hangsUp.getLocalPort()));
        properties.add("compta.routes.reporting", () -> url(1));
    }

    private static String url(int port) {
        return "http://127.0.0.1:" + port;
    }

    @Test
    void passesTheRequestOnAndTheAnswerBack() throws Exception {
        HttpResponse<String> answer = send(postJson("/api/auth/echo?a=b%20c", "t0ken", "body"));
        assertThat(answer.statusCode()).isEqualTo(418);
        assertThat(answer.headers().firstValue("X-From")).hasValue("service");
        assertThat(answer.body()).isEqualTo("POST /api/auth/echo?a=b%20c Bearer t0ken body");
    }

    @Test
    void streamsABodyInsteadOfCollectingIt() throws Exception {
        try (PipedOutputStream writing = new PipedOutputStream()) {
            PipedInputStream body = new PipedInputStream(writing, 1 << 20);
            HttpRequest request =
                    request("/api/auth/echo")
                            .POST(BodyPublishers.ofInputStream(() -> body))
                            .build();
            CompletableFuture<HttpResponse<String>> answer =
                    HTTP.sendAsync(request, BodyHandlers.ofString());
            byte[] part = new byte[256 * 1024];
            Arrays.fill(part, (byte) 'x');
            writing.write(part);
            writing.flush();
            assertThat(FIRST_BYTE.await(60, TimeUnit.SECONDS))
                    .as("the service reads while the client is still sending")
                    .isTrue();
            writing.close();
            assertThat(answer.get(60, TimeUnit.SECONDS).body()).endsWith("xxx");
        }
    }

    @Test
    void neverSendsAPostTwice() throws Exception {
        int before = HUNG_UP.get();
        HttpResponse<String> answer = send(postJson("/api/accounting/entries", null, "{}"));
        assertThat(answer.statusCode()).isEqualTo(502);
        assertThat(answer.headers().firstValue("Content-Type"))
                .hasValue("application/problem+json");
        assertThat(HUNG_UP.get() - before).isEqualTo(1);
    }

    @Test
    void anUnreachableServiceIsABadGateway() throws Exception {
        assertThat(send(request("/api/reporting/trial-balance").build()).statusCode())
                .isEqualTo(502);
    }

    @Test
    void anUnknownPathIsNotFound() throws Exception {
        HttpResponse<String> answer = send(request("/api/nothing").build());
        assertThat(answer.statusCode()).isEqualTo(404);
        assertThat(answer.headers().firstValue("Content-Type"))
                .hasValue("application/problem+json");
    }
}
