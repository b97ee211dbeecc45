package tn.compta.kit.readiness;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.context.ServletWebServerInitializedEvent;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import tn.compta.kit.traffic.EventStreams;

/** A service from its start to its end, as a deploy sees it. */
class ServiceLifeTest {

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    @Test
    void isNotReadyBeforeItsDependencyAnswers() throws Exception {
        Life life = new Life();
        life.dependencyUp.set(false);
        Thread starting = new Thread(life::start);
        starting.start();
        await().atMost(Duration.ofMinutes(2)).until(() -> life.managementPort > 0);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> life.management("/actuator/health/liveness") == 200);
        assertThat(life.management("/actuator/health/readiness")).isEqualTo(503);

        life.dependencyUp.set(true);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> life.management("/actuator/health/readiness") == 200);
        life.dependencyUp.set(false);
        assertThat(life.management("/actuator/health/readiness"))
                .as("a dependency that goes away later takes no instance out")
                .isEqualTo(200);
        starting.join();
        life.context.close();
    }

    @Test
    void countsWhatIsInFlightAndFinishesItAfterTheStopSignal() throws Exception {
        Life life = new Life();
        life.start();
        CompletableFuture<HttpResponse<String>> held =
                HTTP.sendAsync(life.request("/held"), BodyHandlers.ofString());
        life.entered.await();
        assertThat(life.traffic())
                .isEqualTo("{\"accept\":true,\"inFlight\":1,\"streams\":0}");

        Thread stopping = new Thread(life.context::close);
        stopping.start();
        stopping.join(500);
        assertThat(stopping.isAlive()).as("the stop waits for the request").isTrue();
        life.release.countDown();

        assertThat(held.join().statusCode()).isEqualTo(200);
        assertThat(held.join().body()).isEqualTo("done");
        stopping.join();
    }

    @Test
    void countsStreamsApartAndEndsThemAtTheStopSignal() throws Exception {
        Life life = new Life();
        life.start();
        HttpResponse<InputStream> events =
                HTTP.send(life.requestForEvents(), BodyHandlers.ofInputStream());
        BufferedReader lines = new BufferedReader(new InputStreamReader(events.body(), UTF_8));
        assertThat(lines.readLine()).isEqualTo("data:first");
        String counted = "{\"accept\":true,\"inFlight\":0,\"streams\":1}";
        await().untilAsserted(() -> assertThat(life.traffic()).isEqualTo(counted));

        assertTimeout(Duration.ofSeconds(20), life.context::close, "nobody waits for a stream");
        assertThat(lines.lines())
                .as("the rest of the event, and an end that is none of an error")
                .containsExactly("");
    }

    /** One run of a small service with its knobs. */
    static final class Life {

        final AtomicBoolean dependencyUp = new AtomicBoolean(true);
        final CountDownLatch entered = new CountDownLatch(1);
        final CountDownLatch release = new CountDownLatch(1);
        volatile int port;
        volatile int managementPort;
        volatile ConfigurableApplicationContext context;

        void start() {
            SpringApplication application = new SpringApplication(Service.class);
            application.addInitializers(
                    starting -> {
                        starting.getBeanFactory().registerSingleton("life", this);
                        starting.addApplicationListener(
                                event -> {
                                    if (event instanceof ServletWebServerInitializedEvent web) {
                                        opened(web);
                                    }
                                });
                    });
            application.setDefaultProperties(
                    Map.of(
                            "spring.application.name", "sample-service",
                            "spring.config.import", "classpath:service-kit.yml",
                            "compta.api-path", "/api/sample"));
            context = application.run("--server.port=0", "--management.server.port=0");
        }

        private void opened(ServletWebServerInitializedEvent event) {
            if ("management".equals(event.getApplicationContext().getServerNamespace())) {
                managementPort = event.getWebServer().getPort();
            } else {
                port = event.getWebServer().getPort();
            }
        }

        HttpRequest request(String path) {
            return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build();
        }

        HttpRequest requestForEvents() {
            return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/events"))
                    .header("Accept", "text/event-stream")
                    .build();
        }

        int management(String path) throws Exception {
            return HTTP.send(managementRequest(path), BodyHandlers.discarding()).statusCode();
        }

        String traffic() throws Exception {
            return HTTP.send(managementRequest("/actuator/traffic"), BodyHandlers.ofString()).body();
        }

        private HttpRequest managementRequest(String path) {
            return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + path))
                    .build();
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Service {

        @Bean
        Dependency dependency(Life life) {
            return new Dependency() {
                @Override
                public String name() {
                    return "dependency";
                }

                @Override
                public void reach() {
                    if (!life.dependencyUp.get()) {
                        throw new IllegalStateException("it is away");
                    }
                }
            };
        }

        @Bean
        Held held(Life life) {
            return new Held(life);
        }

        @Bean
        Events events(EventStreams streams) {
            return new Events(streams);
        }
    }

    @RestController
    static final class Held {

        private final Life life;

        Held(Life life) {
            this.life = life;
        }

        @GetMapping("/held")
        String held() throws InterruptedException {
            life.entered.countDown();
            life.release.await();
            return "done";
        }
    }

    @RestController
    static final class Events {

        private final EventStreams streams;

        Events(EventStreams streams) {
            this.streams = streams;
        }

        @GetMapping("/events")
        SseEmitter events() throws IOException {
            SseEmitter emitter = streams.open();
            emitter.send("first");
            return emitter;
        }
    }
}
