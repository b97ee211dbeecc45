package tn.compta.reporting;

import java.time.Duration;
import java.time.LocalDate;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.dao.DataAccessException;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.stereotype.Component;

/** Keeps a finished report for a few seconds. Without Redis every report is made anew. */
@Component
class ReportCache {

    private static final Logger LOG = LoggerFactory.getLogger(ReportCache.class);

    private final StringRedisTemplate redis;
    private final Duration lifetime;

    ReportCache(
            StringRedisTemplate redis,
            @Value("${compta.reporting.cache-lifetime}") Duration lifetime) {
        this.redis = redis;
        this.lifetime = lifetime;
    }

    Optional<String> find(LocalDate asOf) {
        try {
            return Optional.ofNullable(redis.opsForValue().get(key(asOf)));
        } catch (DataAccessException e) {
            LOG.warn("the report cache cannot be read: {}", e.getMessage());
            return Optional.empty();
        }
    }

    void keep(LocalDate asOf, String document) {
        try {
            redis.opsForValue().set(key(asOf), document, lifetime);
        } catch (DataAccessException e) {
            LOG.warn("the report cache cannot be written: {}", e.getMessage());
        }
    }

    /** The number changes with the document's shape: slots of two releases run side by side. */
    private static String key(LocalDate asOf) {
        return "reporting:trial-balance:1:" + asOf;
    }
}
