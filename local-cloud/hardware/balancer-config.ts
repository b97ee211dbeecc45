import type { LoadBalancerService, LoadBalancerSpec } from '../machinery.ts';

/** Where HAProxy runs and what it may use. */
export interface BalancerSite {
  /** Name of the host's own network namespace, where clients come in. */
  hostNamespace: string;
  statsSocket: string;
  /** Health as the former process knew it: see balancer-state.ts. */
  stateFile: string;
}

/** HAProxy's name for one service of one load balancer. */
export function sectionName(balancer: LoadBalancerSpec, service: LoadBalancerService): string {
  return `lb${balancer.id}-${service.listenPort}`;
}

/**
 * The configuration of one HAProxy that is all load balancers of the instance.
 *
 * It runs in the router's namespace and listens in the host's, not the other way round: a
 * worker that is being replaced closes its handles on other namespaces, and could no
 * longer reach a target for the last connections it accepted.
 */
export function balancerConfig(balancers: readonly LoadBalancerSpec[], site: BalancerSite): string {
  const sections = balancers.flatMap((balancer) =>
    balancer.services.map((service) => section(balancer, service, site)),
  );
  return `${[preamble(site), ...sections].join('\n\n')}\n`;
}

/**
 * A request is sent to one target once: no retry, no redispatch, and a connection of its
 * own to the target (an idle one could be closing while a POST is written into it).
 */
function preamble(site: BalancerSite): string {
  return `global
  log stdout format raw local0
  stats socket ${site.statsSocket} mode 600 level admin expose-fd listeners
  server-state-file ${site.stateFile}
  hard-stop-after 120s
  maxconn 2000

defaults
  log global
  load-server-state-from-file global
  retries 0
  retry-on none
  timeout connect 5s
  timeout client 120s
  timeout server 120s
  timeout tunnel 1h
  timeout http-request 30s
  timeout http-keep-alive 60s`;
}

function section(
  balancer: LoadBalancerSpec,
  service: LoadBalancerService,
  site: BalancerSite,
): string {
  const { healthCheck } = service;
  const lines = [
    `listen ${sectionName(balancer, service)}`,
    `  bind ${balancer.publicIp}:${service.listenPort} namespace ${site.hostNamespace}`,
    `  mode ${service.protocol}`,
    `  balance ${balancer.algorithm === 'round_robin' ? 'roundrobin' : 'leastconn'}`,
    ...(service.protocol === 'http' ? httpOptions(service) : ['  option tcplog']),
    `  timeout check ${healthCheck.timeoutSeconds}s`,
    ...(healthCheck.protocol === 'http' ? httpCheck(healthCheck) : []),
  ];
  // Without its leg in the private network a balancer reaches no target.
  const targets = balancer.privateIp === null ? [] : balancer.targets;
  const server = serverOptions(balancer, service);
  return [
    ...lines,
    ...targets.map((ip) => `  server ${ip} ${ip}:${service.destinationPort} ${server}`),
  ].join('\n');
}

function httpOptions(service: LoadBalancerService): string[] {
  return [
    '  option httplog',
    '  option http-server-close',
    '  http-reuse never',
    '  option forwardfor',
    '  http-request set-header X-Forwarded-Proto http',
    `  http-request set-header X-Forwarded-Port ${service.listenPort}`,
  ];
}

function httpCheck(check: LoadBalancerService['healthCheck']): string[] {
  const codes = check.statusCodes.map((code) => code.replaceAll('?', '[0-9]'));
  // HTTP/1.1 without a Host is answered 400.
  const host = quote(check.domain ?? 'localhost');
  return [
    '  option httpchk',
    `  http-check send meth GET uri ${quote(check.path ?? '/')} ver HTTP/1.1 hdr Host ${host} hdr Connection close`,
    `  http-check expect rstatus ^(${codes.join('|') || '[23][0-9][0-9]'})$`,
  ];
}

function serverOptions(balancer: LoadBalancerSpec, service: LoadBalancerService): string {
  const { healthCheck } = service;
  const proxied = service.proxyProtocol ? ['send-proxy-v2'] : [];
  // A check on another port speaks to something that expects no PROXY header.
  if (service.proxyProtocol && healthCheck.port === service.destinationPort) {
    proxied.push('check-send-proxy');
  }
  return [
    `source ${balancer.privateIp}`,
    `check port ${healthCheck.port} inter ${healthCheck.intervalSeconds}s`,
    `fall ${Math.max(1, healthCheck.retries)} rise 1`,
    ...proxied,
  ].join(' ');
}

/** HAProxy's strong quoting: nothing inside has a meaning. */
function quote(text: string): string {
  if (/['\r\n]/.test(text)) throw new Error(`"${text}" cannot be part of a health check`);
  return `'${text}'`;
}
