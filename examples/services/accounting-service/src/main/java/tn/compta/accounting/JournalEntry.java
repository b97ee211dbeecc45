package tn.compta.accounting;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.List;
import java.util.UUID;

/**
 * A journal entry as it is posted and read.
 *
 * @param id chosen by the client before it sends the entry
 * @param lines in the order given
 */
record JournalEntry(UUID id, LocalDate date, String label, List<Line> lines) {

    /**
     * One side of an entry. An amount that is left out is zero.
     *
     * @param account number in the Tunisian chart of accounts
     * @param debit in TND, at most three decimals (millimes)
     * @param credit in TND, at most three decimals (millimes)
     */
    record Line(String account, BigDecimal debit, BigDecimal credit) {

        Line {
            debit = debit == null ? BigDecimal.ZERO : debit;
            credit = credit == null ? BigDecimal.ZERO : credit;
        }
    }
}
