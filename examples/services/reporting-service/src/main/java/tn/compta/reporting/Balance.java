package tn.compta.reporting;

import java.math.BigDecimal;

/** What was moved on one account, in TND, as accounting-service answers it. */
record Balance(String account, BigDecimal debit, BigDecimal credit) {}
