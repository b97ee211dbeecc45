package tn.compta.auth;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.stereotype.Component;

/**
 * Sees to it, at every start, that the configured first user can log in with the configured
 * password. A migration must not carry a password; this also makes rotating it a restart.
 */
@Component
@ConditionalOnProperty("compta.seed.username")
class FirstUser implements ApplicationRunner {

    private static final Logger LOG = LoggerFactory.getLogger(FirstUser.class);

    private final Settings settings;
    private final UserRepository users;
    private final PasswordEncoder passwords;

    FirstUser(Settings settings, UserRepository users, PasswordEncoder passwords) {
        this.settings = settings;
        this.users = users;
        this.passwords = passwords;
    }

    /** The password comes from the file /run/secrets/compta.seed.password on a server. */
    @ConfigurationProperties("compta.seed")
    record Settings(String username, String password) {

        Settings {
            if (username != null && (password == null || password.length() < 12)) {
                throw new IllegalArgumentException(
                        "compta.seed.password must have at least 12 characters"
                                + " when compta.seed.username is set");
            }
        }

        @Override
        public String toString() {
            return "Settings[username=" + username + "]";
        }
    }

    @Override
    public void run(ApplicationArguments arguments) {
        String username = Usernames.normalise(settings.username());
        boolean current =
                users.passwordHash(username)
                        .filter(hash -> passwords.matches(settings.password(), hash))
                        .isPresent();
        if (!current) {
            users.save(username, passwords.encode(settings.password()));
            LOG.info("user {} was given the configured password", username);
        }
    }
}
