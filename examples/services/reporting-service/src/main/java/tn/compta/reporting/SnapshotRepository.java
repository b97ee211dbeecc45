package tn.compta.reporting;

import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;

/** The last trial balance that was handed out for each day: what was reported, when, to whom. */
@Repository
class SnapshotRepository {

    private final JdbcClient jdbc;

    SnapshotRepository(JdbcClient jdbc) {
        this.jdbc = jdbc;
    }

    record Snapshot(LocalDate asOf, Instant takenAt, String requestedBy) {}

    void save(LocalDate asOf, Instant takenAt, String document, String requestedBy) {
        jdbc.sql(
                        """
                        INSERT INTO report_snapshot (as_of, taken_at, document, requested_by)
                        VALUES (?, ?, ?::jsonb, ?)
                        ON CONFLICT (as_of) DO UPDATE SET
                          taken_at = EXCLUDED.taken_at,
                          document = EXCLUDED.document,
                          requested_by = EXCLUDED.requested_by
                        """)
                .params(asOf, Timestamp.from(takenAt), document, requestedBy)
                .update();
    }

    List<Snapshot> newest(int limit) {
        return jdbc.sql(
                        """
                        SELECT as_of, taken_at, requested_by FROM report_snapshot
                        ORDER BY as_of DESC LIMIT ?
                        """)
                .param(limit)
                .query(
                        (row, number) ->
                                new Snapshot(
                                        row.getObject("as_of", LocalDate.class),
                                        row.getTimestamp("taken_at").toInstant(),
                                        row.getString("requested_by")))
                .list();
    }
}
