package tn.compta.reporting;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.Principal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ProblemDetail;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClientException;
import tn.compta.reporting.SnapshotRepository.Snapshot;

/** The trial balance, and which ones were handed out before. */
@RestController
@RequestMapping("${compta.api-path}")
class ReportController {

    private static final Logger LOG = LoggerFactory.getLogger(ReportController.class);
    private static final ZoneId TUNIS = ZoneId.of("Africa/Tunis");
    private static final int SNAPSHOTS = 50;

    private final AccountingClient accounting;
    private final ReportCache cache;
    private final SnapshotRepository snapshots;
    private final ObjectMapper json;

    ReportController(
            AccountingClient accounting,
            ReportCache cache,
            SnapshotRepository snapshots,
            ObjectMapper json) {
        this.accounting = accounting;
        this.cache = cache;
        this.snapshots = snapshots;
        this.json = json;
    }

    @GetMapping(path = "/trial-balance", produces = MediaType.APPLICATION_JSON_VALUE)
    String trialBalance(
            @RequestParam Optional<LocalDate> asOf,
            @RequestHeader(HttpHeaders.AUTHORIZATION) String authorization,
            Principal caller)
            throws JsonProcessingException {
        LocalDate day = asOf.orElseGet(() -> LocalDate.now(TUNIS));
        Optional<String> cached = cache.find(day);
        if (cached.isPresent()) {
            return cached.get();
        }
        Instant now = Instant.now();
        TrialBalance report = TrialBalance.of(day, now, accounting.balances(day, authorization));
        String document = json.writeValueAsString(report);
        snapshots.save(day, now, document, caller.getName());
        cache.keep(day, document);
        return document;
    }

    @GetMapping("/snapshots")
    List<Snapshot> snapshots() {
        return snapshots.newest(SNAPSHOTS);
    }

    @ExceptionHandler
    ProblemDetail accountingFailed(RestClientException e) {
        LOG.warn("accounting-service gave no usable answer", e);
        return ProblemDetail.forStatusAndDetail(
                HttpStatus.BAD_GATEWAY, "accounting-service gave no usable answer.");
    }
}
