import { expect, test } from '@jest/globals';
import { macAddress, networkGateway } from '../addresses.ts';
import { filterRuleset } from '../firewall.ts';

const inboundOf = (sourceIps: string[], port: string | null = '2222') =>
  filterRuleset('203.0.113.63', '203.0.113.48/28', [
    { serverId: 4, publicIp: '203.0.113.50', inbound: [{ protocol: 'tcp', port, sourceIps }] },
  ]);

test('the whole ruleset of one protected server', () => {
  expect(inboundOf(['198.51.100.7/32', '203.0.113.49/32'])).toMatchSnapshot();
});

test.each([
  [['0.0.0.0/0', '::/0'], '2222', '    tcp dport 2222 accept'],
  [['198.51.100.0/24'], '80-90', '    ip saddr { 198.51.100.0/24 } tcp dport 80-90 accept'],
  [['198.51.100.0/24'], null, '    ip saddr { 198.51.100.0/24 } meta l4proto tcp accept'],
])('sources %j, port %j', (sources, port, line) => {
  expect(inboundOf(sources, port).split('\n')).toContain(line);
});

test('a rule for IPv6 sources only opens nothing', () => {
  expect(inboundOf(['2001:db8::/32'])).toContain('  chain server-4 {\n    drop\n  }');
});

test('no policies: an empty verdict map would be a syntax error', () => {
  expect(filterRuleset('203.0.113.63', '203.0.113.48/28', [])).not.toContain('vmap');
});

test.each([
  ['10.0.0.0/16', '10.0.0.1'],
  ['192.168.5.77/24', '192.168.5.1'],
  ['172.16.4.128/25', '172.16.4.129'],
])('the gateway of %s is %s', (cidr, gateway) => {
  expect(networkGateway(cidr)).toBe(gateway);
});

test.each(['10.0.0.0', 'fd00::/64', ''])('"%s" is no private network', (cidr) => {
  expect(() => networkGateway(cidr)).toThrow(/is no IPv4 range/);
});

test('hardware addresses follow from the id', () => {
  expect(macAddress('96:00', 70_000)).toBe('96:00:00:01:11:70');
});
