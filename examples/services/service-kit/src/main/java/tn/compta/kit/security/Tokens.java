package tn.compta.kit.security;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Optional;

/** Issues and verifies COMPTA's tokens: HS256, issuer {@code compta}, subject = username. */
public final class Tokens {

    private static final String ISSUER = "compta";

    private final MACSigner signer;
    private final List<JWSVerifier> verifiers = new ArrayList<>();
    private final Duration lifetime;
    private final Clock clock;

    public Tokens(JwtProperties properties, Clock clock) {
        this.lifetime = properties.lifetime();
        this.clock = clock;
        try {
            this.signer = new MACSigner(bytes(properties.secret()));
            this.verifiers.add(new MACVerifier(bytes(properties.secret())));
            if (!properties.previousSecret().isEmpty()) {
                this.verifiers.add(new MACVerifier(bytes(properties.previousSecret())));
            }
        } catch (JOSEException e) {
            throw new IllegalStateException("compta.jwt.secret cannot be used as an HS256 key", e);
        }
    }

    public String issue(String username) {
        Instant now = clock.instant();
        SignedJWT token =
                new SignedJWT(
                        new JWSHeader(JWSAlgorithm.HS256),
                        new JWTClaimsSet.Builder()
                                .issuer(ISSUER)
                                .subject(username)
                                .issueTime(Date.from(now))
                                .expirationTime(Date.from(now.plus(lifetime)))
                                .build());
        try {
            token.sign(signer);
        } catch (JOSEException e) {
            throw new IllegalStateException("the token could not be signed", e);
        }
        return token.serialize();
    }

    /** The username of a valid token; empty when it is malformed, forged, expired or foreign. */
    public Optional<String> verify(String text) {
        try {
            SignedJWT token = SignedJWT.parse(text);
            JWTClaimsSet claims = token.getJWTClaimsSet();
            boolean valid =
                    JWSAlgorithm.HS256.equals(token.getHeader().getAlgorithm())
                            && signedByUs(token)
                            && ISSUER.equals(claims.getIssuer())
                            && claims.getExpirationTime() != null
                            && claims.getExpirationTime().toInstant().isAfter(clock.instant());
            return valid ? Optional.ofNullable(claims.getSubject()) : Optional.empty();
        } catch (ParseException | JOSEException e) {
            return Optional.empty();
        }
    }

    private boolean signedByUs(SignedJWT token) throws JOSEException {
        for (JWSVerifier verifier : verifiers) {
            if (token.verify(verifier)) {
                return true;
            }
        }
        return false;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
