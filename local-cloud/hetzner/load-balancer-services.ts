import { z } from 'zod';
import { requireAbility } from './abilities.ts';
import { ApiError, invalidInput } from './errors.ts';
import type { HealthCheck, HttpCheck, HttpOptions, LoadBalancer, Service } from './resources.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

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
const DEFAULT_HTTP: HttpOptions = {
  certificates: [],
  redirectHttp: false,
  stickySessions: false,
  cookieName: 'HCLBSTICKY',
  cookieLifetime: 300,
  timeoutIdle: 60,
};
const DEFAULT_HTTP_CHECK: HttpCheck = {
  domain: '',
  path: '/',
  response: '',
  statusCodes: ['2??', '3??'],
  tls: false,
};
const DEFAULT_PORTS = { tcp: null, http: 80, https: 443 };

/**
 * A service with Hetzner's defaults.
 * @throws ApiError `source_port_already_used`, `invalid_input`
 */
export function planService(
  wanted: z.infer<typeof newServiceSchema>,
  others: Pick<LoadBalancer, 'services'>,
): Service {
  const listenPort = wanted.listen_port ?? DEFAULT_PORTS[wanted.protocol];
  if (listenPort === null) throw invalidInput('listen_port', 'is required for protocol tcp');
  if (others.services.some((service) => service.listenPort === listenPort)) {
    throw new ApiError('source_port_already_used', `listen port ${listenPort} is already in use`);
  }
  const destinationPort =
    wanted.destination_port ?? (wanted.protocol === 'https' ? 80 : listenPort);
  const service: Service = {
    protocol: wanted.protocol,
    listenPort,
    destinationPort,
    proxyprotocol: false,
    http: null,
    healthCheck: {
      protocol: wanted.protocol === 'tcp' ? 'tcp' : 'http',
      port: destinationPort,
      ...DEFAULT_CHECK,
      http: null,
    },
  };
  return changeService(service, { ...wanted, listen_port: listenPort });
}

/** The service with what the request names changed, and the rest as it was. */
export function changeService(service: Service, wanted: ServiceRequest): Service {
  const protocol = wanted.protocol ?? service.protocol;
  const http = protocol === 'tcp' ? null : mergeHttp(service.http, wanted.http ?? {});
  if (protocol === 'https' && http?.certificates.length === 0) {
    throw invalidInput('http.certificates', 'is required for protocol https');
  }
  return {
    protocol,
    listenPort: service.listenPort,
    destinationPort: wanted.destination_port ?? service.destinationPort,
    proxyprotocol: wanted.proxyprotocol ?? service.proxyprotocol,
    http,
    healthCheck: mergeCheck(service.healthCheck, wanted.health_check ?? {}),
  };
}

function mergeHttp(before: HttpOptions | null, wanted: z.infer<typeof httpSchema>): HttpOptions {
  const basis = before ?? DEFAULT_HTTP;
  return {
    certificates: wanted.certificates ?? basis.certificates,
    redirectHttp: wanted.redirect_http ?? basis.redirectHttp,
    stickySessions: wanted.sticky_sessions ?? basis.stickySessions,
    cookieName: wanted.cookie_name ?? basis.cookieName,
    cookieLifetime: wanted.cookie_lifetime ?? basis.cookieLifetime,
    timeoutIdle: wanted.timeout_idle ?? basis.timeoutIdle,
  };
}

function mergeCheck(check: HealthCheck, wanted: z.infer<typeof healthCheckSchema>): HealthCheck {
  const protocol = wanted.protocol ?? check.protocol;
  const before = check.http ?? DEFAULT_HTTP_CHECK;
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
            response: wanted.http?.response ?? before.response,
            statusCodes: wanted.http?.status_codes ?? before.statusCodes,
            tls: wanted.http?.tls ?? before.tls,
          }
        : null,
  };
}

/**
 * What a service needs of the machinery and the project.
 * @throws ApiError `unsupported_error`, `not_found` for a certificate
 */
export function requireServable(
  { world, abilities }: Cloud,
  { protocol, http, healthCheck }: Service,
) {
  for (const id of http?.certificates ?? []) find(world, 'certificate', id);
  const beyond = {
    'a load balancer service with protocol https': protocol === 'https',
    'a load balancer service with sticky sessions': http?.stickySessions,
    "a sticky session's own cookie": http && !hasDefaultCookie(http),
    'an idle timeout other than 60 seconds': http && http.timeoutIdle !== DEFAULT_HTTP.timeoutIdle,
    'a load balancer service that redirects to https': http?.redirectHttp,
    'a health check over TLS': healthCheck.http?.tls,
    "a health check of the response's text": healthCheck.http?.response,
  };
  for (const [what, wanted] of Object.entries(beyond)) {
    if (wanted) requireAbility(abilities.richBalancing, what);
  }
}

function hasDefaultCookie({ cookieName, cookieLifetime }: HttpOptions): boolean {
  return cookieName === DEFAULT_HTTP.cookieName && cookieLifetime === DEFAULT_HTTP.cookieLifetime;
}

/** A service as clients see it. */
export function presentService(service: Service) {
  const { protocol, listenPort, destinationPort, proxyprotocol, healthCheck } = service;
  const http = protocol === 'tcp' ? null : (service.http ?? DEFAULT_HTTP);
  return {
    protocol,
    listen_port: listenPort,
    destination_port: destinationPort,
    proxyprotocol,
    ...(http && {
      http: {
        certificates: http.certificates,
        redirect_http: http.redirectHttp,
        sticky_sessions: http.stickySessions,
        cookie_name: http.cookieName,
        cookie_lifetime: http.cookieLifetime,
        timeout_idle: http.timeoutIdle,
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
          response: healthCheck.http.response ?? '',
          status_codes: healthCheck.http.statusCodes,
          tls: healthCheck.http.tls ?? false,
        },
      }),
    },
  };
}
