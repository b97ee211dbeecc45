package tn.compta.auth;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.stereotype.Component;

/**
 * Failed logins per username in the last minute, shared by all instances through Redis.
 *
 * <p>Without Redis a login is still possible: BCrypt alone keeps guessing slow, and nobody being
 * able to work would be the greater harm.
 */
@Component
class LoginAttempts {

    static final int ALLOWED = 10;
    static final Duration WINDOW = Duration.ofMinutes(1);

    private static final Logger LOG = LoggerFactory.getLogger(LoginAttempts.class);

    private final StringRedisTemplate redis;

    LoginAttempts(StringRedisTemplate redis) {
        this.redis = redis;
    }

    boolean exhausted(String username) {
        try {
            String failed = redis.opsForValue().get(key(username));
            return failed != null && Integer.parseInt(failed) >= ALLOWED;
        } catch (DataAccessException e) {
            LOG.warn("login attempts are not limited while Redis is away: {}", e.getMessage());
            return false;
        }
    }

    void failed(String username) {
        try {
            Long count = redis.opsForValue().increment(key(username));
            if (count != null && count == 1) {
                redis.expire(key(username), WINDOW);
            }
        } catch (DataAccessException e) {
            LOG.warn("a failed login was not counted: {}", e.getMessage());
        }
    }

    private static String key(String username) {
        return "auth:failed-logins:" + username;
    }
}
