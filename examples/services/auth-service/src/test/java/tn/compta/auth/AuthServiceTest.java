package tn.compta.auth;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tn.compta.kit.security.Tokens;
import tn.compta.kit.test.ReadinessContract;
import tn.compta.kit.test.RealDatabase;
import tn.compta.kit.test.RealRedis;

class AuthServiceTest extends ReadinessContract {

    @Autowired private Tokens tokens;
    @Autowired private JdbcClient jdbc;

    @DynamicPropertySource
    static void backends(DynamicPropertyRegistry properties) {
        RealDatabase.use(properties);
        RealRedis.use(properties);
        properties.add("compta.seed.username", () -> "Amira");
        properties.add("compta.seed.password", () -> "long-enough-1");
    }

    @Test
    void theFirstUserLogsInAndTheTokenSaysWhoItIs() throws Exception {
        HttpResponse<String> answer = login("amira ", "long-enough-1");
        assertThat(answer.statusCode()).isEqualTo(200);
        String token = answer.body().replaceAll("\\{\"token\":\"(.*)\"}", "$1");
        assertThat(tokens.verify(token)).contains("amira");
        assertThat(send(get("/api/auth/me", token)).body()).isEqualTo("{\"username\":\"amira\"}");
        assertThat(
                        jdbc.sql("SELECT last_login_at IS NOT NULL FROM users WHERE username = 'amira'")
                                .query(Boolean.class)
                                .single())
                .isTrue();
    }

    @Test
    void aPasswordIsStoredOnlyAsItsHash() {
        assertThat(jdbc.sql("SELECT password_hash FROM users").query(String.class).list())
                .allMatch(hash -> hash.startsWith("$2a$10$"));
    }

    @Test
    void aWrongPasswordAndAnUnknownUserGetTheSameAnswer() throws Exception {
        HttpResponse<String> wrong = login("amira", "wrong");
        HttpResponse<String> unknown = login("nobody-here", "wrong");
        assertThat(wrong.statusCode()).isEqualTo(401);
        assertThat(unknown.statusCode()).isEqualTo(401);
        assertThat(unknown.body()).isEqualTo(wrong.body());
        assertThat(wrong.headers().firstValue("Content-Type"))
                .hasValue("application/problem+json");
    }

    @Test
    void guessingIsStoppedForAMinute() throws Exception {
        for (int i = 0; i < LoginAttempts.ALLOWED; i++) {
            assertThat(login("guessed", "wrong-" + i).statusCode()).isEqualTo(401);
        }
        HttpResponse<String> refused = login("guessed", "wrong");
        assertThat(refused.statusCode()).isEqualTo(429);
        assertThat(refused.headers().firstValue("Retry-After")).hasValue("60");
    }

    @Test
    void emptyInputIsRefusedFieldByField() throws Exception {
        HttpResponse<String> answer = login("", "");
        assertThat(answer.statusCode()).isEqualTo(422);
        assertThat(answer.body()).contains("\"field\":\"username\"", "\"field\":\"password\"");
    }

    @Test
    void whoAmINeedsAToken() throws Exception {
        HttpResponse<String> answer = send(request("/api/auth/me").build());
        assertThat(answer.statusCode()).isEqualTo(401);
        assertThat(answer.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
    }

    private HttpResponse<String> login(String username, String password) throws Exception {
        return send(
                postJson(
                        "/api/auth/login",
                        null,
                        "{\"username\":\"%s\",\"password\":\"%s\"}".formatted(username, password)));
    }
}
