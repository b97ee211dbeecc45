package tn.compta.kit.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.UnknownHostException;
import org.apache.hc.client5.http.impl.InMemoryDnsResolver;
import org.junit.jupiter.api.Test;

class LastingNamesTest {

    private final InetAddress address = InetAddress.getLoopbackAddress();

    @Test
    void aNameKeepsItsAddressWhileTheNameServerIsAway() throws UnknownHostException {
        var away = new boolean[1];
        var server =
                new InMemoryDnsResolver() {
                    @Override
                    public InetAddress[] resolve(String host) throws UnknownHostException {
                        if (away[0]) {
                            throw new UnknownHostException(host);
                        }
                        return super.resolve(host);
                    }
                };
        server.add("auth-service", address);
        var names = new LastingNames(server);

        assertThat(names.resolve("auth-service")).containsExactly(address);
        away[0] = true;
        assertThat(names.resolve("auth-service")).containsExactly(address);
    }

    @Test
    void aNameThatNeverWasIsUnknown() {
        var names = new LastingNames(new InMemoryDnsResolver());

        assertThatThrownBy(() -> names.resolve("nobody"))
                .isInstanceOf(UnknownHostException.class);
    }
}
