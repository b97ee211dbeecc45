package tn.compta.auth;

import java.security.Principal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.ProblemDetail;
import org.springframework.http.ResponseEntity;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import tn.compta.kit.problem.InvalidRequest;
import tn.compta.kit.problem.Violation;
import tn.compta.kit.security.Tokens;

/** Login, and who the token says the caller is. */
@RestController
@RequestMapping("${compta.api-path}")
class AuthController {

    private static final int BCRYPT_LIMIT = 72;

    private final UserRepository users;
    private final PasswordEncoder passwords;
    private final LoginAttempts attempts;
    private final Tokens tokens;

    /** Compared with when there is no such user, so that both answers take as long. */
    private final String nobodysHash;

    AuthController(
            UserRepository users,
            PasswordEncoder passwords,
            LoginAttempts attempts,
            Tokens tokens) {
        this.users = users;
        this.passwords = passwords;
        this.attempts = attempts;
        this.tokens = tokens;
        this.nobodysHash = passwords.encode("nobody");
    }

    record Login(String username, String password) {

        List<Violation> violations() {
            List<Violation> found = new ArrayList<>();
            if (username == null || username.isBlank() || username.length() > 100) {
                found.add(new Violation("username", "must have 1 to 100 characters"));
            }
            if (password == null || password.isEmpty() || password.length() > BCRYPT_LIMIT) {
                found.add(new Violation("password", "must have 1 to 72 characters"));
            }
            return found;
        }

        @Override
        public String toString() {
            return "Login[username=" + username + "]";
        }
    }

    record Token(String token) {}

    record Me(String username) {}

    @PostMapping("/login")
    ResponseEntity<?> login(@RequestBody Login login) {
        List<Violation> violations = login.violations();
        if (!violations.isEmpty()) {
            throw new InvalidRequest(violations);
        }
        String username = Usernames.normalise(login.username());
        if (attempts.exhausted(username)) {
            return ResponseEntity.status(HttpStatus.TOO_MANY_REQUESTS)
                    .header(HttpHeaders.RETRY_AFTER, "" + LoginAttempts.WINDOW.toSeconds())
                    .body(
                            ProblemDetail.forStatusAndDetail(
                                    HttpStatus.TOO_MANY_REQUESTS,
                                    "Too many failed logins; wait a minute."));
        }
        Optional<String> hash = users.passwordHash(username);
        boolean matches = passwords.matches(login.password(), hash.orElse(nobodysHash));
        if (hash.isEmpty() || !matches) {
            attempts.failed(username);
            return ResponseEntity.status(HttpStatus.UNAUTHORIZED)
                    .body(
                            ProblemDetail.forStatusAndDetail(
                                    HttpStatus.UNAUTHORIZED, "Wrong username or password."));
        }
        users.recordLogin(username);
        return ResponseEntity.ok(new Token(tokens.issue(username)));
    }

    @GetMapping("/me")
    Me me(Principal caller) {
        return new Me(caller.getName());
    }
}
