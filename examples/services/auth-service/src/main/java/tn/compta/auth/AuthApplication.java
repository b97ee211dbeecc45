package tn.compta.auth;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.ConfigurationPropertiesScan;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import tn.compta.kit.security.BearerSecurity;

@SpringBootApplication(proxyBeanMethods = false)
@ConfigurationPropertiesScan
@Import(BearerSecurity.class)
public class AuthApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(AuthApplication.class, arguments);
    }

    @Bean
    PasswordEncoder passwordEncoder() {
        return new BCryptPasswordEncoder();
    }
}
