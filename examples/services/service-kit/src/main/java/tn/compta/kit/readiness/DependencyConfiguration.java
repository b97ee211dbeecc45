package tn.compta.kit.readiness;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.data.redis.RedisAutoConfiguration;
import org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.connection.RedisConnection;
import org.springframework.data.redis.connection.RedisConnectionFactory;

/** A service that has a database or Redis waits for it at its start. */
@AutoConfiguration(after = {DataSourceAutoConfiguration.class, RedisAutoConfiguration.class})
public class DependencyConfiguration {

    private static final int SECONDS = 2;

    @Bean
    @ConditionalOnBean(DataSource.class)
    Dependency databaseDependency(DataSource database) {
        return new Dependency() {
            @Override
            public String name() {
                return "database";
            }

            @Override
            public void reach() throws SQLException {
                try (Connection connection = database.getConnection()) {
                    if (!connection.isValid(SECONDS)) {
                        throw new SQLException("no answer within " + SECONDS + " s");
                    }
                }
            }
        };
    }

    /** Apart, so that a service without Redis need not have its classes. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(RedisConnectionFactory.class)
    static class Redis {

        @Bean
        @ConditionalOnBean(RedisConnectionFactory.class)
        Dependency redisDependency(RedisConnectionFactory redis) {
            return new Dependency() {
                @Override
                public String name() {
                    return "redis";
                }

                @Override
                public void reach() {
                    try (RedisConnection connection = redis.getConnection()) {
                        connection.ping();
                    }
                }
            };
        }
    }
}
