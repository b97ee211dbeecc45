package tn.compta.kit.http;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hc.client5.http.DnsResolver;

/**
 * A name that cannot be resolved keeps the addresses that it had. Docker's name server is a part of
 * its daemon and away while that restarts, and Java would take a name for unknown ten seconds longer.
 */
final class LastingNames implements DnsResolver {

    private final DnsResolver names;
    private final Map<String, InetAddress[]> known = new ConcurrentHashMap<>();

    LastingNames(DnsResolver names) {
        this.names = names;
    }

    @Override
    public InetAddress[] resolve(String host) throws UnknownHostException {
        try {
            InetAddress[] found = names.resolve(host);
            known.put(host, found);
            return found;
        } catch (UnknownHostException e) {
            InetAddress[] last = known.get(host);
            if (last == null) {
                throw e;
            }
            return last;
        }
    }

    @Override
    public String resolveCanonicalHostname(String host) throws UnknownHostException {
        return names.resolveCanonicalHostname(host);
    }
}
