package tn.compta.reporting;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrialBalanceTest {

    private static final LocalDate DAY = LocalDate.of(2026, 1, 31);

    @Test
    void eachAccountStandsOnOneSideAndTheSidesAreEqual() {
        TrialBalance report = report(balance("411000", "119", "19"), balance("707000", "0", "100"));
        assertThat(report.rows().get(0).debitBalance()).isEqualByComparingTo("100");
        assertThat(report.rows().get(0).creditBalance()).isEqualByComparingTo("0");
        assertThat(report.rows().get(1).debitBalance()).isEqualByComparingTo("0");
        assertThat(report.rows().get(1).creditBalance()).isEqualByComparingTo("100");
        assertThat(report.totalDebit()).isEqualByComparingTo("119");
        assertThat(report.totalCredit()).isEqualByComparingTo("119");
        assertThat(report.balanced()).isTrue();
    }

    @Test
    void aMissingMillimeIsSeen() {
        assertThat(report(balance("411000", "1.001", "0"), balance("707000", "0", "1")).balanced())
                .isFalse();
    }

    @Test
    void anEmptyJournalIsBalanced() {
        assertThat(report().balanced()).isTrue();
        assertThat(report().rows()).isEmpty();
    }

    private static TrialBalance report(Balance... balances) {
        return TrialBalance.of(DAY, Instant.EPOCH, List.of(balances));
    }

    private static Balance balance(String account, String debit, String credit) {
        return new Balance(account, new BigDecimal(debit), new BigDecimal(credit));
    }
}
