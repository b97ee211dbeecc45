package tn.compta.accounting;

import java.net.URI;
import java.security.Principal;
import java.time.LocalDate;
import java.util.List;
import java.util.UUID;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.ErrorResponseException;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import tn.compta.accounting.Journal.Balance;
import tn.compta.kit.problem.InvalidRequest;
import tn.compta.kit.problem.Violation;

/** Posting and reading journal entries. */
@RestController
@RequestMapping("${compta.api-path}")
class JournalController {

    private static final int PAGE_LIMIT = 200;

    private final Journal journal;
    private final String path;

    JournalController(Journal journal, @Value("${compta.api-path}") String path) {
        this.journal = journal;
        this.path = path;
    }

    record Posted(UUID id) {}

    @PostMapping("/entries")
    ResponseEntity<Posted> post(@RequestBody JournalEntry entry, Principal caller) {
        List<Violation> violations = EntryRules.violations(entry);
        if (!violations.isEmpty()) {
            throw new InvalidRequest(violations);
        }
        journal.post(entry, caller.getName());
        return ResponseEntity.created(URI.create(path + "/entries/" + entry.id()))
                .body(new Posted(entry.id()));
    }

    @GetMapping("/entries/{id}")
    JournalEntry entry(@PathVariable UUID id) {
        return journal.find(id).orElseThrow(() -> new ErrorResponseException(HttpStatus.NOT_FOUND));
    }

    @GetMapping("/entries")
    List<JournalEntry> entries(
            @RequestParam(defaultValue = "0001-01-01") LocalDate from,
            @RequestParam(defaultValue = "9999-12-31") LocalDate to,
            @RequestParam(defaultValue = "50") int limit) {
        if (limit < 1 || limit > PAGE_LIMIT) {
            throw new InvalidRequest(
                    List.of(new Violation("limit", "must be from 1 to " + PAGE_LIMIT)));
        }
        return journal.list(from, to, limit);
    }

    @GetMapping("/balances")
    List<Balance> balances(@RequestParam(defaultValue = "9999-12-31") LocalDate asOf) {
        return journal.balances(asOf);
    }
}
