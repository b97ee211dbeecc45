package tn.compta.auth;

import java.util.Locale;

/** One spelling for a username, whatever was typed. */
final class Usernames {

    private Usernames() {}

    static String normalise(String typed) {
        return typed.strip().toLowerCase(Locale.ROOT);
    }
}
