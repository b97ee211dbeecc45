package tn.compta.kit.problem;

/**
 * One thing wrong with a request.
 *
 * @param field where, as a JSON path such as {@code lines[1].account}
 * @param message what is wrong and what is allowed
 */
public record Violation(String field, String message) {}
