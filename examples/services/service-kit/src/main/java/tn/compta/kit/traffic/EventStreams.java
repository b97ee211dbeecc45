package tn.compta.kit.traffic;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;

/**
 * Server-sent events that end when the service does, each after a whole event: graceful shutdown
 * would wait for them in vain and then cut them.
 */
public final class EventStreams {

    private final Set<SseEmitter> open = ConcurrentHashMap.newKeySet();
    private volatile boolean stopping;

    /** Without a time limit, for a controller to send events by and to return. */
    public SseEmitter open() {
        SseEmitter emitter = new SseEmitter(0L);
        open.add(emitter);
        emitter.onCompletion(() -> open.remove(emitter));
        if (stopping) {
            emitter.complete();
        }
        return emitter;
    }

    /** Before graceful shutdown begins. Whoever opens one again is served by the other slot. */
    @EventListener(ContextClosedEvent.class)
    void endAll() {
        stopping = true;
        open.forEach(SseEmitter::complete);
    }
}
