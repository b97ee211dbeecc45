package tn.compta.kit.traffic;

import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Counts the requests in flight. The count falls when the last filter is left; the container writes
 * the end of the answer right after, which graceful shutdown waits for.
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
        boolean open = true;
        try {
            chain.doFilter(request, response);
            if (request.isAsyncStarted()) {
                request.getAsyncContext().addListener(new EndOnCompletion(gate));
                open = false;
            }
        } finally {
            if (open) {
                gate.end();
            }
        }
    }

    /** The container calls onComplete exactly once, also after an error or a timeout. */
    private record EndOnCompletion(TrafficGate gate) implements AsyncListener {

        @Override
        public void onComplete(AsyncEvent event) {
            gate.end();
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
