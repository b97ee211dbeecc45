import { expect, test } from '@jest/globals';
import { requestsUnderWay } from '../edge.ts';
import type { Host } from '../host.ts';
import type { Slot } from '../slots.ts';
import { proveContract, reopen } from '../traffic.ts';

const slot = { service: 'auth-service', slot: 'b', address: '172.30.0.9' } as Slot;

/**
 * A server with Caddy and a service that keeps the contract; so many answers to each question get lost.
 */
function busy(lost: number): Host {
  let accept = true;
  const asked = new Map<string, number>();
  const http = async (url: string, ...options: string[]) => {
    const question = [url, ...options].join(' ');
    asked.set(question, (asked.get(question) ?? 0) + 1);
    if ((asked.get(question) ?? 0) <= lost) return { status: 0, body: '' };
    if (options.includes('POST')) accept = JSON.parse(options.at(-1) ?? '').accept;
    if (url.endsWith('/upstreams')) {
      return { status: 200, body: '[{"address":"auth-service-b:8080","num_requests":2}]' };
    }
    if (url.endsWith('/readiness')) return { status: accept ? 200 : 503, body: '' };
    return { status: 200, body: JSON.stringify({ accept, inFlight: 0 }) };
  };
  return { name: 'app-1', http } as unknown as Host;
}

test('a service keeps the contract, though a busy server loses an answer to each question', async () => {
  await proveContract(busy(1), slot);
});

test('a slot that serves alone is turned on again, though an answer is lost; one beside another is let be', async () => {
  const at = (address: string, service: string) => ({ address, service }) as Slot;
  const slots = [at('1', 'auth-service'), at('2', 'mail-service'), at('3', 'mail-service')];
  const host = busy(1);
  const told: string[] = [];
  const http: Host['http'] = async (url, ...options) => {
    const { status, body } = await host.http(url, ...options);
    if (status !== 0) told.push(`${url} ${options.at(-1)}`);
    return { status, body };
  };
  await reopen({ state: async () => ({ slots }), http } as unknown as Host);
  expect(told).toEqual(['http://1:8081/actuator/traffic {"accept":true}']);
});

test('one that never answers does not', async () => {
  await expect(proveContract(busy(Number.POSITIVE_INFINITY), slot)).rejects.toThrow(
    'auth-service-b on app-1 does not keep the readiness contract: POST /actuator/traffic answered nothing.',
  );
});

test('what Caddy has under way is asked for again when the answer is lost', async () => {
  expect(await requestsUnderWay(busy(1), slot)).toBe(2);
});
