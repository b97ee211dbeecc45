package tn.compta.kit.test;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import org.springframework.test.context.DynamicPropertyRegistry;
import redis.embedded.RedisServer;

/** A real Redis out of a jar, one for the whole test run, stopped when the JVM ends. */
public final class RealRedis {

    private RealRedis() {}

    private static final class Running {

        static final int PORT = start();

        /** Somebody else may take the port that was free, before the server has it. */
        private static int start() {
            for (int attempt = 1; ; attempt++) {
                try {
                    return startAt(freePort());
                } catch (IOException e) {
                    if (attempt == 3) {
                        throw new UncheckedIOException("the embedded Redis did not start", e);
                    }
                }
            }
        }

        private static int freePort() throws IOException {
            try (ServerSocket free = new ServerSocket(0)) {
                return free.getLocalPort();
            }
        }

        private static int startAt(int port) throws IOException {
            RedisServer server = RedisServer.newRedisServer().port(port).bind("127.0.0.1").build();
            server.start();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server)));
            return port;
        }

        private static void stop(RedisServer server) {
            try {
                server.stop();
            } catch (IOException e) {
                throw new UncheckedIOException("the embedded Redis did not stop", e);
            }
        }
    }

    public static void use(DynamicPropertyRegistry properties) {
        properties.add("spring.data.redis.host", () -> "127.0.0.1");
        properties.add("spring.data.redis.port", () -> Running.PORT);
    }
}
