package tn.compta.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tn.compta.accounting.JournalEntry.Line;
import tn.compta.kit.problem.Violation;

class EntryRulesTest {

    @Test
    void aBalancedEntryIsPostable() {
        assertThat(check(debit("411000", "119.000"), credit("707", "100"), credit("4367", "19.0")))
                .isEmpty();
    }

    @Test
    void anEntryMustBalanceToTheMillime() {
        assertThat(check(debit("411000", "100.001"), credit("707000", "100")))
                .containsExactly(
                        new Violation("lines", "must balance: debit 100.001, credit 100"));
    }

    @Test
    void oneLineIsNoEntry() {
        assertThat(fields(check(debit("411000", "1")))).containsExactly("lines");
    }

    @ParameterizedTest
    @ValueSource(strings = {"4", "811000", "011000", "41100A", "411000000", "", " 411"})
    void anAccountIsTwoToEightDigitsOfClassesOneToSeven(String account) {
        assertThat(fields(check(debit(account, "1"), credit("707000", "1"))))
                .containsExactly("lines[0].account");
    }

    @ParameterizedTest
    @CsvSource({"-1, lines[1].credit", "0.0001, lines[1].credit", "1e15, lines[1].credit"})
    void anAmountFitsTheColumn(String amount, String field) {
        assertThat(fields(check(debit("411000", "1"), credit("707000", amount)))).contains(field);
    }

    @Test
    void aLineHasOneSide() {
        Line both = new Line("411000", BigDecimal.ONE, BigDecimal.ONE);
        Line none = new Line("411000", null, null);
        assertThat(fields(check(both, none))).containsExactly("lines[0]", "lines[1]");
    }

    @Test
    void everythingWrongIsToldAtOnce() {
        assertThat(fields(EntryRules.violations(new JournalEntry(null, null, " ", null))))
                .containsExactly("id", "date", "label", "lines");
    }

    private static List<Violation> check(Line... lines) {
        return EntryRules.violations(
                new JournalEntry(
                        UUID.randomUUID(), LocalDate.of(2026, 1, 31), "Sale", List.of(lines)));
    }

    private static List<String> fields(List<Violation> violations) {
        return violations.stream().map(Violation::field).toList();
    }

    private static Line debit(String account, String amount) {
        return new Line(account, new BigDecimal(amount), null);
    }

    private static Line credit(String account, String amount) {
        return new Line(account, null, new BigDecimal(amount));
    }
}
