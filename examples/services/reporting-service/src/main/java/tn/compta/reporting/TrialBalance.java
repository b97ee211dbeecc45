package tn.compta.reporting;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.function.Function;

/**
 * The balance of every account and the totals, which must be equal.
 *
 * @param asOf the last day that counts
 * @param computedAt when accounting-service was asked
 */
record TrialBalance(
        LocalDate asOf,
        Instant computedAt,
        List<Row> rows,
        BigDecimal totalDebit,
        BigDecimal totalCredit,
        boolean balanced) {

    /** An account with what was moved and the side its balance is on. */
    record Row(
            String account,
            BigDecimal debit,
            BigDecimal credit,
            BigDecimal debitBalance,
            BigDecimal creditBalance) {

        static Row of(Balance balance) {
            BigDecimal difference = balance.debit().subtract(balance.credit());
            return new Row(
                    balance.account(),
                    balance.debit(),
                    balance.credit(),
                    difference.max(BigDecimal.ZERO),
                    difference.negate().max(BigDecimal.ZERO));
        }
    }

    static TrialBalance of(LocalDate asOf, Instant computedAt, List<Balance> balances) {
        BigDecimal debit = total(balances, Balance::debit);
        BigDecimal credit = total(balances, Balance::credit);
        return new TrialBalance(
                asOf,
                computedAt,
                balances.stream().map(Row::of).toList(),
                debit,
                credit,
                debit.compareTo(credit) == 0);
    }

    private static BigDecimal total(List<Balance> balances, Function<Balance, BigDecimal> side) {
        return balances.stream().map(side).reduce(BigDecimal.ZERO, BigDecimal::add);
    }
}
