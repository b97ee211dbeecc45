package tn.compta.kit.readiness;

/** Something a service cannot work without and reaches over the network. */
public interface Dependency {

    /** As the log names it, such as {@code database}. */
    String name();

    /** Returns when it answered; throws with the reason when it did not. */
    void reach() throws Exception;
}
