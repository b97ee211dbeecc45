package tn.compta.reporting;

import java.time.LocalDate;
import java.util.List;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.http.HttpHeaders;
import org.springframework.web.client.RestClient;
import tn.compta.kit.http.InternalHttp;

/** Asks accounting-service, in the caller's name: with the token the caller sent. */
class AccountingClient {

    private static final ParameterizedTypeReference<List<Balance>> BALANCES =
            new ParameterizedTypeReference<>() {};

    private final RestClient http;

    AccountingClient(RestClient http) {
        this.http = http;
    }

    /** @throws org.springframework.web.client.RestClientException when there is no good answer */
    List<Balance> balances(LocalDate asOf, String authorization) {
        return http.get()
                .uri("/api/accounting/balances?asOf={asOf}", asOf)
                .header(HttpHeaders.AUTHORIZATION, authorization)
                .retrieve()
                .body(BALANCES);
    }

    @Configuration(proxyBeanMethods = false)
    static class Wiring {

        @Bean(destroyMethod = "close")
        CloseableHttpClient internalHttp() {
            return InternalHttp.client();
        }

        @Bean
        AccountingClient accountingClient(
                RestClient.Builder builder,
                CloseableHttpClient client,
                @Value("${compta.accounting.url}") String url) {
            return new AccountingClient(
                    builder.baseUrl(url)
                            .requestFactory(InternalHttp.requestFactory(client))
                            .build());
        }
    }
}
