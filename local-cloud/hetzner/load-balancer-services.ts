import { z } from 'zod';
import { ApiError, invalidInput, notAvailable } from './errors.ts';
import type { HealthCheck, LoadBalancer, Service } from './resources.ts';

const port = z.int().min(1).max(65_535);
const healthCheckSchema = z.object({
  protocol: z.enum(['tcp', 'http']).optional(),
  port: port.optional(),
  /** Seconds. */
  interval: z.int().min(3).max(60).optional(),
  timeout: z.int().min(1).max(60).optional(),
  retries: z.int().min(1).max(5).optional(),
  http: z
    .object({
      domain: z.string().nullish(),
      path: z.string().optional(),
      response: z.string().optional(),
      status_codes: z.array(z.string().regex(/^[1-5?][0-9?]{2}$/)).optional(),
      tls: z.boolean().optional(),
    })
    .nullish(),
});
const httpSchema = z.object({
  cookie_name: z.string().optional(),
  cookie_lifetime: z.int().optional(),
  certificates: z.array(z.int()).optional(),
  redirect_http: z.boolean().optional(),
  sticky_sessions: z.boolean().optional(),
  timeout_idle: z.int().optional(),
});
const optional = {
  destination_port: port.optional(),
  proxyprotocol: z.boolean().optional(),
  http: httpSchema.nullish(),
  health_check: healthCheckSchema.nullish(),
};
const protocol = z.enum(['tcp', 'http', 'https']);

export const newServiceSchema = z.object({ protocol, listen_port: port.optional(), ...optional });
export const changedServiceSchema = z.object({
  protocol: protocol.optional(),
  listen_port: port,
  ...optional,
});
type ServiceRequest = z.infer<typeof changedServiceSchema>;

/** What Hetzner sets where a service names nothing. */
const DEFAULT_CHECK = { interval: 15, timeout: 10, retries: 3 };
const COOKIE = { cookie_name: 'HCLBSTICKY', cookie_lifetime: 300 };
const IDLE_SECONDS = 60;
const DEFAULT_HTTP = { domain: '', path: '/', statusCodes: ['2??', '3??'] };

/**
 * A service with Hetzner's defaults.
 * @throws ApiError `source_port_already_used`
 */
export function planService(
  wanted: z.infer<typeof newServiceSchema>,
  others: Pick<LoadBalancer, 'services'>,
): Service {
  const listenPort = wanted.listen_port ?? (wanted.protocol === 'http' ? 80 : null);
  if (listenPort === null) throw invalidInput('listen_port', 'is required for protocol tcp');
  if (others.services.some((service) => service.listenPort === listenPort)) {
    throw new ApiError('source_port_already_used', `listen port ${listenPort} is already in use`);
  }
  return merge(
    {
      protocol: 'tcp',
      listenPort,
      destinationPort: listenPort,
      proxyprotocol: false,
      healthCheck: { protocol: 'tcp', port: 0, ...DEFAULT_CHECK, http: null },
    },
    { ...wanted, listen_port: listenPort },
    true,
  );
}

/** The service with what the request names changed, and the rest as it was. */
export function changeService(service: Service, change: ServiceRequest): Service {
  return merge(service, change, false);
}

function merge(service: Service, wanted: ServiceRequest, isNew: boolean): Service {
  refuse(wanted);
  const protocol = wanted.protocol ?? service.protocol;
  if (protocol === 'https') throw notAvailable('a load balancer service with protocol https');
  const destinationPort = wanted.destination_port ?? service.destinationPort;
  const basis = isNew
    ? { ...service.healthCheck, protocol, port: destinationPort }
    : service.healthCheck;
  return {
    protocol,
    listenPort: service.listenPort,
    destinationPort,
    proxyprotocol: wanted.proxyprotocol ?? service.proxyprotocol,
    healthCheck: mergeCheck(basis, wanted.health_check ?? {}),
  };
}

function mergeCheck(check: HealthCheck, wanted: z.infer<typeof healthCheckSchema>): HealthCheck {
  const protocol = wanted.protocol ?? check.protocol;
  const before = check.http ?? DEFAULT_HTTP;
  return {
    protocol,
    port: wanted.port ?? check.port,
    interval: wanted.interval ?? check.interval,
    timeout: wanted.timeout ?? check.timeout,
    retries: wanted.retries ?? check.retries,
    http:
      protocol === 'http'
        ? {
            domain: wanted.http?.domain ?? before.domain,
            path: wanted.http?.path ?? before.path,
            statusCodes: wanted.http?.status_codes ?? before.statusCodes,
          }
        : null,
  };
}

/** What HAProxy is not set up for here is refused rather than ignored. */
function refuse({ http, health_check }: ServiceRequest): void {
  if (http?.sticky_sessions) throw notAvailable('a load balancer service with sticky sessions');
  if ((http?.cookie_name ?? COOKIE.cookie_name) !== COOKIE.cookie_name) {
    throw notAvailable("a sticky session's own cookie name");
  }
  if ((http?.cookie_lifetime ?? COOKIE.cookie_lifetime) !== COOKIE.cookie_lifetime) {
    throw notAvailable("a sticky session's own cookie lifetime");
  }
  if ((http?.timeout_idle ?? IDLE_SECONDS) !== IDLE_SECONDS) {
    throw notAvailable(`an idle timeout other than ${IDLE_SECONDS} seconds`);
  }
  if (http?.redirect_http) throw notAvailable('a load balancer service that redirects to https');
  if (health_check?.http?.tls) throw notAvailable('a health check over TLS');
  if (health_check?.http?.response) throw notAvailable("a health check of the response's text");
}

/** A service as clients see it; the cookie's fields are Hetzner's defaults. */
export function presentService(service: Service) {
  const { protocol, listenPort, destinationPort, proxyprotocol, healthCheck } = service;
  return {
    protocol,
    listen_port: listenPort,
    destination_port: destinationPort,
    proxyprotocol,
    ...(protocol === 'http' && {
      http: {
        ...COOKIE,
        certificates: [],
        redirect_http: false,
        sticky_sessions: false,
        timeout_idle: IDLE_SECONDS,
      },
    }),
    health_check: {
      protocol: healthCheck.protocol,
      port: healthCheck.port,
      interval: healthCheck.interval,
      timeout: healthCheck.timeout,
      retries: healthCheck.retries,
      ...(healthCheck.http && {
        http: {
          domain: healthCheck.http.domain,
          path: healthCheck.http.path,
          response: '',
          status_codes: healthCheck.http.statusCodes,
          tls: false,
        },
      }),
    },
  };
}
