package tn.compta.accounting;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;
import tn.compta.accounting.JournalEntry.Line;

/** The journal in PostgreSQL. Entries are only ever added. */
@Repository
class Journal {

    private final JdbcClient jdbc;
    private final JdbcTemplate batches;

    Journal(JdbcClient jdbc, JdbcTemplate batches) {
        this.jdbc = jdbc;
        this.batches = batches;
    }

    /** What was moved on one account. */
    record Balance(String account, BigDecimal debit, BigDecimal credit) {}

    @Transactional
    public void post(JournalEntry entry, String postedBy) {
        long key =
                jdbc.sql(
                                """
                                INSERT INTO journal_entry (entry_id, entry_date, label, posted_by)
                                VALUES (?, ?, ?, ?) RETURNING id
                                """)
                        .params(entry.id(), entry.date(), entry.label(), postedBy)
                        .query(Long.class)
                        .single();
        List<Object[]> rows = new ArrayList<>();
        for (Line line : entry.lines()) {
            rows.add(
                    new Object[] {key, rows.size() + 1, line.account(), line.debit(), line.credit()});
        }
        batches.batchUpdate(
                """
                INSERT INTO journal_line (journal_entry_id, line_no, account, debit, credit)
                VALUES (?, ?, ?, ?, ?)
                """,
                rows);
    }

    /** The first entry posted under this id. */
    @Transactional(readOnly = true)
    public Optional<JournalEntry> find(UUID id) {
        return read(
                        """
                        SELECT id, entry_id, entry_date, label FROM journal_entry
                        WHERE entry_id = :id ORDER BY id LIMIT 1
                        """,
                        Map.of("id", id))
                .stream()
                .findFirst();
    }

    /** The newest entries dated within the two days, both included, newest first. */
    @Transactional(readOnly = true)
    public List<JournalEntry> list(LocalDate from, LocalDate to, int limit) {
        return read(
                """
                SELECT id, entry_id, entry_date, label FROM journal_entry
                WHERE entry_date BETWEEN :from AND :to ORDER BY id DESC LIMIT :limit
                """,
                Map.of("from", from, "to", to, "limit", limit));
    }

    /** Totals of every account that was moved up to that day, in the order of account numbers. */
    @Transactional(readOnly = true)
    public List<Balance> balances(LocalDate asOf) {
        return jdbc.sql(
                        """
                        SELECT l.account, sum(l.debit) AS debit, sum(l.credit) AS credit
                        FROM journal_line l JOIN journal_entry e ON e.id = l.journal_entry_id
                        WHERE e.entry_date <= ? GROUP BY l.account ORDER BY l.account
                        """)
                .param(asOf)
                .query(Balance.class)
                .list();
    }

    /** Two statements however many entries there are. */
    private List<JournalEntry> read(String entriesQuery, Map<String, ?> parameters) {
        Map<Long, JournalEntry> entries = new LinkedHashMap<>();
        jdbc.sql(entriesQuery)
                .params(parameters)
                .query(
                        row -> {
                            entries.put(
                                    row.getLong("id"),
                                    new JournalEntry(
                                            row.getObject("entry_id", UUID.class),
                                            row.getObject("entry_date", LocalDate.class),
                                            row.getString("label"),
                                            new ArrayList<>()));
                        });
        if (entries.isEmpty()) {
            return List.of();
        }
        jdbc.sql(
                        """
                        SELECT journal_entry_id, account, debit, credit FROM journal_line
                        WHERE journal_entry_id IN (:keys) ORDER BY journal_entry_id, line_no
                        """)
                .param("keys", entries.keySet())
                .query(
                        row -> {
                            entries.get(row.getLong("journal_entry_id"))
                                    .lines()
                                    .add(
                                            new Line(
                                                    row.getString("account"),
                                                    row.getBigDecimal("debit"),
                                                    row.getBigDecimal("credit")));
                        });
        return List.copyOf(entries.values());
    }
}
