package tn.compta.accounting;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Import;
import tn.compta.kit.security.BearerSecurity;

@SpringBootApplication(proxyBeanMethods = false)
@Import(BearerSecurity.class)
public class AccountingApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(AccountingApplication.class, arguments);
    }
}
