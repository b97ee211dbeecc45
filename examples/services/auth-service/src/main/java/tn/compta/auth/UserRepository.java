package tn.compta.auth;

import java.util.Optional;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;

/** Users by their lower-case username. */
@Repository
class UserRepository {

    private final JdbcClient jdbc;

    UserRepository(JdbcClient jdbc) {
        this.jdbc = jdbc;
    }

    Optional<String> passwordHash(String username) {
        return jdbc.sql("SELECT password_hash FROM users WHERE username = ? AND enabled")
                .param(username)
                .query(String.class)
                .optional();
    }

    void recordLogin(String username) {
        jdbc.sql("UPDATE users SET last_login_at = now() WHERE username = ?")
                .param(username)
                .update();
    }

    /** Two instances may start at the same moment: the last one wins, nobody fails. */
    void save(String username, String passwordHash) {
        jdbc.sql(
                        """
                        INSERT INTO users (username, password_hash) VALUES (?, ?)
                        ON CONFLICT (username) DO UPDATE SET password_hash = EXCLUDED.password_hash
                        """)
                .params(username, passwordHash)
                .update();
    }
}
