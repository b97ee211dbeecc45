package tn.compta.kit.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;

class TokensTest {

    private static final String OLD = "old-secret-old-secret-old-secret-";
    private static final String NEW = "new-secret-new-secret-new-secret-";
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    @Test
    void aTokenSaysWhoItWasIssuedTo() {
        Tokens tokens = tokens(NEW, "", NOW);
        assertThat(tokens.verify(tokens.issue("amira"))).contains("amira");
    }

    @Test
    void anExpiredTokenIsWorthNothing() {
        String token = tokens(NEW, "", NOW).issue("amira");
        assertThat(tokens(NEW, "", NOW.plusSeconds(3599)).verify(token)).isPresent();
        assertThat(tokens(NEW, "", NOW.plusSeconds(3600)).verify(token)).isEmpty();
    }

    @Test
    void aForgedOrUnsignedTokenIsWorthNothing() {
        String token = tokens(NEW, "", NOW).issue("amira");
        // {"alg":"none"} . {"sub":"amira","iss":"compta","exp":4102444800} . no signature
        String unsigned =
                "eyJhbGciOiJub25lIn0"
                        + ".eyJzdWIiOiJhbWlyYSIsImlzcyI6ImNvbXB0YSIsImV4cCI6NDEwMjQ0NDgwMH0.";
        Tokens others = tokens(OLD, "", NOW);
        assertThat(others.verify(token)).isEmpty();
        assertThat(others.verify(unsigned)).isEmpty();
        assertThat(others.verify("nonsense")).isEmpty();
        assertThat(others.verify("")).isEmpty();
    }

    @Test
    void whileASecretIsRotatedTokensOfBothAreGood() {
        String before = tokens(OLD, "", NOW).issue("amira");
        Tokens during = tokens(NEW, OLD, NOW);
        assertThat(during.verify(before)).contains("amira");
        assertThat(tokens(NEW, "", NOW).verify(during.issue("amira"))).contains("amira");
    }

    @Test
    void aShortSecretIsRefusedWithTheFileToFill() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new JwtProperties("short", "", Duration.ofHours(1)))
                .withMessageContaining("/run/secrets/compta.jwt.secret");
    }

    private static Tokens tokens(String secret, String previous, Instant now) {
        return new Tokens(
                new JwtProperties(secret, previous, Duration.ofHours(1)),
                Clock.fixed(now, ZoneOffset.UTC));
    }
}
