package tn.compta.kit.traffic;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Whether this instance wants new requests, and how many it is serving now.
 *
 * <p>Turning {@code accepting} off refuses nothing: it only turns readiness to 503, so that the
 * proxy stops choosing this instance while every request that still arrives is answered.
 */
public final class TrafficGate {

    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicInteger streams = new AtomicInteger();
    private volatile boolean accepting = true;

    public boolean isAccepting() {
        return accepting;
    }

    public void setAccepting(boolean accepting) {
        this.accepting = accepting;
    }

    /** Requests on the application port that have begun and whose answer is not complete. */
    public int inFlight() {
        return inFlight.get();
    }

    /** Server-sent events and websockets that are open; the deploy does not wait for these. */
    public int streams() {
        return streams.get();
    }

    /** For a websocket, whose request is over with its handshake; {@link #endStream} when it closes. */
    public void beginStream() {
        streams.incrementAndGet();
    }

    public void endStream() {
        streams.decrementAndGet();
    }

    void begin() {
        inFlight.incrementAndGet();
    }

    void end() {
        inFlight.decrementAndGet();
    }
}
