package tn.compta.kit.security;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The secret that auth-service signs with and that every service verifies with.
 *
 * @param secret at least 32 bytes (HS256)
 * @param previousSecret still accepted while a new secret is being rolled out; empty otherwise
 * @param lifetime how long a token is valid
 */
@ConfigurationProperties("compta.jwt")
public record JwtProperties(
        @DefaultValue("") String secret,
        @DefaultValue("") String previousSecret,
        @DefaultValue("1h") Duration lifetime) {

    private static final int MINIMUM_BYTES = 32;

    public JwtProperties {
        if (bytes(secret) < MINIMUM_BYTES) {
            throw new IllegalArgumentException(
                    "compta.jwt.secret has " + bytes(secret) + " bytes, HS256 needs at least "
                            + MINIMUM_BYTES + "; place it in /run/secrets/compta.jwt.secret");
        }
        if (!previousSecret.isEmpty() && bytes(previousSecret) < MINIMUM_BYTES) {
            throw new IllegalArgumentException(
                    "compta.jwt.previous-secret needs at least " + MINIMUM_BYTES + " bytes");
        }
    }

    private static int bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
