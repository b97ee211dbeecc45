import { expect, test } from '@jest/globals';
import type { LoadBalancerService, LoadBalancerSpec } from '../../machinery.ts';
import { balancerConfig } from '../balancer-config.ts';

const site = {
  hostNamespace: 'compta3-host',
  statsSocket: '/run/compta3/haproxy.sock',
  stateFile: '/state/haproxy/state',
};

const http: LoadBalancerService = {
  protocol: 'http',
  listenPort: 80,
  destinationPort: 8080,
  proxyProtocol: false,
  healthCheck: {
    protocol: 'http',
    port: 8081,
    intervalSeconds: 5,
    timeoutSeconds: 3,
    retries: 2,
    path: '/health',
    domain: 'compta.example',
    statusCodes: ['2??', '401'],
  },
};

const tcp: LoadBalancerService = {
  protocol: 'tcp',
  listenPort: 443,
  destinationPort: 443,
  proxyProtocol: true,
  healthCheck: {
    protocol: 'tcp',
    port: 443,
    intervalSeconds: 15,
    timeoutSeconds: 10,
    retries: 3,
    path: null,
    domain: null,
    statusCodes: [],
  },
};

const balancer: LoadBalancerSpec = {
  id: 7,
  name: 'staging-lb',
  publicIp: '127.77.3.10',
  privateIp: '10.0.1.5',
  algorithm: 'round_robin',
  services: [http, tcp],
  targets: ['10.0.1.21', '10.0.1.22'],
};

test('an HTTP and a TCP service with their checks', () => {
  expect(balancerConfig([balancer], site)).toMatchSnapshot();
});

test('without a leg in the private network a balancer listens but reaches no target', () => {
  const text = balancerConfig([{ ...balancer, privateIp: null }], site);
  expect(text).toContain('bind 127.77.3.10:80');
  expect(text).not.toMatch(/^ {2}server /m);
});

test('a PROXY header goes to a check only where the check meets the service itself', () => {
  const elsewhere = { ...tcp, healthCheck: { ...tcp.healthCheck, port: 8081 } };
  const text = balancerConfig([{ ...balancer, services: [elsewhere] }], site);
  expect(text).toContain('send-proxy-v2');
  expect(text).not.toContain('check-send-proxy');
});

test('least connections', () => {
  const text = balancerConfig([{ ...balancer, algorithm: 'least_connections' }], site);
  expect(text).toContain('balance leastconn');
});

test.each(["/it's", '/a\nb'])(
  'a health check path that could end its quotes is refused: %j',
  (path) => {
    const service = { ...http, healthCheck: { ...http.healthCheck, path } };
    expect(() => balancerConfig([{ ...balancer, services: [service] }], site)).toThrow(
      /cannot be part of a health check/,
    );
  },
);
