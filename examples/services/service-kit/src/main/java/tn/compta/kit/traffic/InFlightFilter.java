package tn.compta.kit.traffic;

import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Counts the requests in flight. The count falls when the last filter is left; the container writes
 * the end of the answer right after, which graceful shutdown waits for.
 *
 * <p>Who asked for events and is left with an open answer has a stream, which may never end: it is
 * counted apart. What was asked for tells, as Spring sets the answer's type with its first event.
 *
 * <p>It is a bean of the application's context only: the management
 * port is a context of its own, so health polls and drain questions are never counted.
 */
public final class InFlightFilter extends OncePerRequestFilter {

    private final TrafficGate gate;

    public InFlightFilter(TrafficGate gate) {
        this.gate = gate;
    }

    @Override
    protected void doFilterInternal(
            HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        gate.begin();
        boolean over = true;
        try {
            chain.doFilter(request, response);
            if (request.isAsyncStarted()) {
                boolean stream = asksForEvents(request);
                Runnable end = stream ? gate::endStream : gate::end;
                request.getAsyncContext().addListener(new EndOnCompletion(end));
                if (stream) {
                    gate.beginStream();
                }
                over = stream;
            }
        } finally {
            if (over) {
                gate.end();
            }
        }
    }

    private static boolean asksForEvents(HttpServletRequest request) {
        return MediaType.TEXT_EVENT_STREAM_VALUE.equals(request.getHeader(HttpHeaders.ACCEPT));
    }

    /** The container calls onComplete exactly once, also after an error or a timeout. */
    private record EndOnCompletion(Runnable end) implements AsyncListener {

        @Override
        public void onComplete(AsyncEvent event) {
            end.run();
        }

        @Override
        public void onTimeout(AsyncEvent event) {}

        @Override
        public void onError(AsyncEvent event) {}

        @Override
        public void onStartAsync(AsyncEvent event) {
            event.getAsyncContext().addListener(this);
        }
    }
}
