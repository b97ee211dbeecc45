package tn.compta.reporting;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tn.compta.kit.security.Tokens;
import tn.compta.kit.test.ReadinessContract;
import tn.compta.kit.test.RealDatabase;
import tn.compta.kit.test.RealRedis;

class ReportingServiceTest extends ReadinessContract {

    private static final List<String> ASKED = new CopyOnWriteArrayList<>();
    private static HttpServer accounting;
    private static volatile int status;

    @Autowired private Tokens tokens;

    private String token;

    @BeforeAll
    static void startAccounting() throws Exception {
        accounting = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        accounting.createContext(
                "/api/accounting/balances",
                exchange -> {
                    ASKED.add(
                            exchange.getRequestURI() + " "
                                    + exchange.getRequestHeaders().getFirst("Authorization"));
                    byte[] body =
                            """
                            [{"account":"411000","debit":10.000,"credit":0.000},
                             {"account":"707000","debit":0.000,"credit":10.000}]
                            """
                                    .getBytes();
                    exchange.getResponseHeaders().set("Content-Type", "application/json");
                    exchange.sendResponseHeaders(status, body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
        accounting.start();
    }

    @AfterAll
    static void stopAccounting() {
        accounting.stop(0);
    }

    @DynamicPropertySource
    static void backends(DynamicPropertyRegistry properties) {
        RealDatabase.use(properties);
        RealRedis.use(properties);
        properties.add(
                "compta.accounting.url",
                () -> "http://127.0.0.1:" + accounting.getAddress().getPort());
    }

    @BeforeEach
    void caller() {
        token = tokens.issue("amira");
        status = 200;
        ASKED.clear();
    }

    @Test
    void reportsInTheCallersNameAndRemembersItForAWhile() throws Exception {
        HttpResponse<String> first = report("2026-01-31");
        assertThat(first.statusCode()).isEqualTo(200);
        assertThat(first.body())
                .contains("\"asOf\":\"2026-01-31\"", "\"totalDebit\":10.000", "\"balanced\":true");
        assertThat(report("2026-01-31").body()).isEqualTo(first.body());
        assertThat(ASKED)
                .containsExactly("/api/accounting/balances?asOf=2026-01-31 Bearer " + token);
        assertThat(send(get("/api/reporting/snapshots", token)).body())
                .contains("\"asOf\":\"2026-01-31\"", "\"requestedBy\":\"amira\"");
    }

    @Test
    void aFailingAccountingServiceIsABadGatewayAndIsNotRemembered() throws Exception {
        status = 503;
        assertThat(report("2026-02-28").statusCode()).isEqualTo(502);
        status = 200;
        assertThat(report("2026-02-28").statusCode()).isEqualTo(200);
        assertThat(ASKED).hasSize(2);
    }

    @Test
    void needsAToken() throws Exception {
        assertThat(send(request("/api/reporting/trial-balance").build()).statusCode())
                .isEqualTo(401);
        assertThat(ASKED).isEmpty();
    }

    private HttpResponse<String> report(String day) throws Exception {
        return send(get("/api/reporting/trial-balance?asOf=" + day, token));
    }
}
