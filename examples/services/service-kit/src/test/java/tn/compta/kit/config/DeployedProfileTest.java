package tn.compta.kit.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.context.ConfigDataApplicationContextInitializer;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** What the profile of a server changes. */
class DeployedProfileTest {

    private final ApplicationContextRunner service =
            new ApplicationContextRunner()
                    .withInitializer(new ConfigDataApplicationContextInitializer())
                    .withPropertyValues(
                            "spring.application.name=sample-service",
                            "spring.config.import=classpath:service-kit.yml");

    @Test
    void doesNotMigrateAtStart() {
        service.withPropertyValues("spring.profiles.active=deployed")
                .run(
                        context ->
                                assertThat(
                                                context.getEnvironment()
                                                        .getProperty("spring.flyway.enabled"))
                                        .isEqualTo("false"));
    }

    @Test
    void hasNoBuiltInSecret() {
        service.withPropertyValues("spring.profiles.active=deployed")
                .run(
                        context ->
                                assertThat(context.getEnvironment().getProperty("compta.jwt.secret"))
                                        .isNull());
        service.run(
                context ->
                        assertThat(context.getEnvironment().getProperty("compta.jwt.secret"))
                                .isNotNull());
    }

    @Test
    void readsSecretsFromFilesNamedLikeTheProperty(@TempDir Path secrets) throws Exception {
        Files.writeString(secrets.resolve("spring.datasource.password"), "from-a-file\n");
        service.withPropertyValues(
                        "spring.profiles.active=deployed",
                        "compta.secrets-directory=" + secrets + "/")
                .run(
                        context ->
                                assertThat(
                                                context.getEnvironment()
                                                        .getProperty("spring.datasource.password"))
                                        .isEqualTo("from-a-file"));
    }
}
