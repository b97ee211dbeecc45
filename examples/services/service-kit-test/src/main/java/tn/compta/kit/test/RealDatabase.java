package tn.compta.kit.test;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import org.springframework.test.context.DynamicPropertyRegistry;

/** A real PostgreSQL 16 out of a jar, one for the whole test run, stopped when the JVM ends. */
public final class RealDatabase {

    private RealDatabase() {}

    private static final class Running {

        static final EmbeddedPostgres SERVER = start();

        private static EmbeddedPostgres start() {
            try {
                return EmbeddedPostgres.builder()
                        .setCleanDataDirectory(true)
                        .setPGStartupWait(Duration.ofMinutes(2))
                        .start();
            } catch (IOException e) {
                throw new UncheckedIOException("the embedded PostgreSQL did not start", e);
            }
        }
    }

    /** Points the service at an empty database; Flyway fills it as on a developer's machine. */
    public static void use(DynamicPropertyRegistry properties) {
        properties.add(
                "spring.datasource.url",
                () -> Running.SERVER.getJdbcUrl("postgres", "postgres") + "&prepareThreshold=0");
        properties.add("spring.datasource.username", () -> "postgres");
        properties.add("spring.datasource.password", () -> "");
    }
}
