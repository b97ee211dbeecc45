package tn.compta.reporting;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Import;
import tn.compta.kit.security.BearerSecurity;

@SpringBootApplication(proxyBeanMethods = false)
@Import(BearerSecurity.class)
public class ReportingApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(ReportingApplication.class, arguments);
    }
}
