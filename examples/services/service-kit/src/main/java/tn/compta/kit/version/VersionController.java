package tn.compta.kit.version;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Says which release of which service answers: what a smoke test compares after a deploy. */
@RestController
public final class VersionController {

    private final Version version;

    public VersionController(
            @Value("${spring.application.name}") String service,
            @Value("${compta.version}") String version) {
        this.version = new Version(service, version);
    }

    /** The answer's shape. */
    public record Version(String service, String version) {}

    @GetMapping("${compta.api-path}/version")
    public Version version() {
        return version;
    }
}
