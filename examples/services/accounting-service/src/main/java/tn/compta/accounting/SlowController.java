package tn.compta.accounting;

import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/**
 * A request that takes its time, so that a deploy under load can be watched waiting for it. It
 * holds no connection to the database and needs a token like everything else.
 */
@RestController
@RequestMapping("${compta.api-path}")
class SlowController {

    private static final long LIMIT_MS = 3_000;

    record Slept(long ms) {}

    @GetMapping("/slow")
    Slept slow(@RequestParam(defaultValue = "1000") long ms) throws InterruptedException {
        long bounded = Math.max(0, Math.min(ms, LIMIT_MS));
        Thread.sleep(bounded);
        return new Slept(bounded);
    }
}
