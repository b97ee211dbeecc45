package tn.compta.accounting;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Pattern;
import tn.compta.accounting.JournalEntry.Line;
import tn.compta.kit.problem.Violation;

/** What makes an entry postable. Pure: finds every violation, touches nothing. */
final class EntryRules {

    static final int MILLIMES = 3;

    /** Classes 1 to 7 of the chart of accounts, two to eight digits. */
    private static final Pattern ACCOUNT = Pattern.compile("[1-7][0-9]{1,7}");

    private static final int LABEL_LIMIT = 200;
    private static final int LINES_LIMIT = 500;

    /** numeric(18,3) holds fifteen digits before the point. */
    private static final BigDecimal AMOUNT_LIMIT = new BigDecimal("1e15");

    private EntryRules() {}

    static List<Violation> violations(JournalEntry entry) {
        List<Violation> found = new ArrayList<>();
        if (entry.id() == null) {
            found.add(new Violation("id", "must be a UUID"));
        }
        if (entry.date() == null) {
            found.add(new Violation("date", "must be a date such as 2026-01-31"));
        }
        String label = entry.label();
        if (label == null || label.isBlank() || label.length() > LABEL_LIMIT) {
            found.add(new Violation("label", "must have 1 to " + LABEL_LIMIT + " characters"));
        }
        List<Line> lines = entry.lines();
        if (lines == null || lines.size() < 2 || lines.size() > LINES_LIMIT) {
            found.add(new Violation("lines", "must be 2 to " + LINES_LIMIT + " lines"));
            return found;
        }
        for (int i = 0; i < lines.size(); i++) {
            checkLine("lines[" + i + "]", lines.get(i), found);
        }
        if (found.isEmpty() && !balanced(lines)) {
            found.add(
                    new Violation(
                            "lines",
                            "must balance: debit " + sum(lines, Line::debit).toPlainString()
                                    + ", credit " + sum(lines, Line::credit).toPlainString()));
        }
        return found;
    }

    private static void checkLine(String path, Line line, List<Violation> found) {
        if (line == null) {
            found.add(new Violation(path, "must be a line"));
            return;
        }
        if (line.account() == null || !ACCOUNT.matcher(line.account()).matches()) {
            found.add(
                    new Violation(
                            path + ".account", "must be 2 to 8 digits, the first from 1 to 7"));
        }
        checkAmount(path + ".debit", line.debit(), found);
        checkAmount(path + ".credit", line.credit(), found);
        if ((line.debit().signum() == 0) == (line.credit().signum() == 0)) {
            found.add(new Violation(path, "must have either a debit or a credit"));
        }
    }

    private static void checkAmount(String path, BigDecimal amount, List<Violation> found) {
        if (amount.signum() < 0
                || amount.stripTrailingZeros().scale() > MILLIMES
                || amount.compareTo(AMOUNT_LIMIT) >= 0) {
            found.add(
                    new Violation(
                            path, "must be at least 0, below 1e15, with at most 3 decimals"));
        }
    }

    private static boolean balanced(List<Line> lines) {
        return sum(lines, Line::debit).compareTo(sum(lines, Line::credit)) == 0;
    }

    private static BigDecimal sum(List<Line> lines, Function<Line, BigDecimal> side) {
        return lines.stream().map(side).reduce(BigDecimal.ZERO, BigDecimal::add);
    }
}
