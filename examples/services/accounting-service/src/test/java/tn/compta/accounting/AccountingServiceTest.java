package tn.compta.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import tn.compta.kit.security.Tokens;
import tn.compta.kit.test.ReadinessContract;
import tn.compta.kit.test.RealDatabase;

class AccountingServiceTest extends ReadinessContract {

    @Autowired private Tokens tokens;
    @Autowired private JdbcClient jdbc;

    private String token;

    @DynamicPropertySource
    static void backends(DynamicPropertyRegistry properties) {
        RealDatabase.use(properties);
    }

    @BeforeEach
    void emptyJournal() {
        token = tokens.issue("amira");
        jdbc.sql("TRUNCATE journal_entry, journal_line").update();
    }

    @Test
    void anEntryIsPostedAndReadBack() throws Exception {
        UUID id = UUID.randomUUID();
        HttpResponse<String> posted = post(entry(id, "2026-01-31", "119.5"));
        assertThat(posted.statusCode()).isEqualTo(201);
        assertThat(posted.body()).isEqualTo("{\"id\":\"" + id + "\"}");

        HttpResponse<String> read = send(get("/api/accounting/entries/" + id, token));
        assertThat(read.statusCode()).isEqualTo(200);
        assertThat(read.body())
                .isEqualTo(
                        """
                        {"id":"%s","date":"2026-01-31","label":"Sale","lines":[\
                        {"account":"411000","debit":119.500,"credit":0.000},\
                        {"account":"707000","debit":0.000,"credit":119.500}]}"""
                                .formatted(id));
        assertThat(jdbc.sql("SELECT posted_by FROM journal_entry").query(String.class).single())
                .isEqualTo("amira");
    }

    @Test
    void anEntrySentTwiceIsThereTwice() throws Exception {
        UUID id = UUID.randomUUID();
        post(entry(id, "2026-01-31", "1"));
        post(entry(id, "2026-01-31", "1"));
        assertThat(
                        jdbc.sql("SELECT count(*) FROM journal_entry WHERE entry_id = ?")
                                .param(id)
                                .query(Long.class)
                                .single())
                .isEqualTo(2);
    }

    @Test
    void anEntryThatBreaksARuleLeavesNothingBehind() throws Exception {
        String unbalanced =
                entry(UUID.randomUUID(), "2026-01-31", "2").replace("\"credit\":2", "\"credit\":3");
        HttpResponse<String> answer = post(unbalanced);
        assertThat(answer.statusCode()).isEqualTo(422);
        assertThat(answer.body()).contains("must balance: debit 2, credit 3");
        assertThat(jdbc.sql("SELECT count(*) FROM journal_entry").query(Long.class).single())
                .isZero();
    }

    @Test
    void malformedInputAndUnknownIdsAreTheClientsFault() throws Exception {
        assertThat(post("{oops").statusCode()).isEqualTo(400);
        assertThat(post("{\"colour\":\"red\"}").statusCode()).isEqualTo(400);
        assertThat(send(get("/api/accounting/entries/not-a-uuid", token)).statusCode())
                .isEqualTo(400);
        assertThat(send(get("/api/accounting/entries/" + UUID.randomUUID(), token)).statusCode())
                .isEqualTo(404);
        assertThat(send(get("/api/accounting/entries?limit=1000", token)).statusCode())
                .isEqualTo(422);
    }

    @Test
    void entriesAreListedByDateAndSummedByAccount() throws Exception {
        UUID january = UUID.randomUUID();
        UUID february = UUID.randomUUID();
        post(entry(january, "2026-01-31", "10"));
        post(entry(february, "2026-02-01", "5.001"));

        String listed =
                send(get("/api/accounting/entries?from=2026-02-01&to=2026-02-28", token)).body();
        assertThat(listed).contains(february.toString()).doesNotContain(january.toString());
        assertThat(send(get("/api/accounting/balances?asOf=2026-01-31", token)).body())
                .isEqualTo(
                        """
                        [{"account":"411000","debit":10.000,"credit":0.000},\
                        {"account":"707000","debit":0.000,"credit":10.000}]""");
        assertThat(send(get("/api/accounting/balances", token)).body()).contains("15.001");
    }

    @Test
    void nothingIsAnsweredWithoutAToken() throws Exception {
        String body = entry(UUID.randomUUID(), "2026-01-31", "1");
        assertThat(send(postJson("/api/accounting/entries", null, body)).statusCode())
                .isEqualTo(401);
        assertThat(send(get("/api/accounting/entries", "forged")).statusCode()).isEqualTo(401);
        assertThat(send(request("/api/accounting/version/../entries").build()).statusCode())
                .isEqualTo(401);
    }

    @Test
    void aSlowRequestIsBounded() throws Exception {
        assertThat(send(get("/api/accounting/slow?ms=-5", token)).body()).isEqualTo("{\"ms\":0}");
        assertThat(send(get("/api/accounting/slow?ms=99999", token)).body())
                .isEqualTo("{\"ms\":3000}");
    }

    private HttpResponse<String> post(String body) throws Exception {
        return send(postJson("/api/accounting/entries", token, body));
    }

    private static String entry(UUID id, String date, String amount) {
        return """
               {"id":"%s","date":"%s","label":"Sale","lines":[
                 {"account":"411000","debit":%s},{"account":"707000","credit":%s}]}"""
                .formatted(id, date, amount, amount);
    }
}
