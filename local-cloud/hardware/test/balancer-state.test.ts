import { expect, test } from '@jest/globals';
import type { LoadBalancerSpec } from '../../machinery.ts';
import { healthOf, stateFile } from '../balancer-state.ts';

const balancer: LoadBalancerSpec = {
  id: 7,
  name: 'staging-lb',
  publicIp: '127.77.3.10',
  privateIp: '10.0.1.5',
  algorithm: 'round_robin',
  services: [
    {
      protocol: 'tcp',
      listenPort: 80,
      destinationPort: 8080,
      proxyProtocol: false,
      healthCheck: {
        protocol: 'tcp',
        port: 8080,
        intervalSeconds: 5,
        timeoutSeconds: 3,
        retries: 2,
        path: null,
        domain: null,
        statusCodes: [],
      },
    },
  ],
  targets: ['10.0.1.21', '10.0.1.22', '10.0.1.23', '10.0.1.24'],
};

const statistics = [
  '# pxname,svname,status,check_status,',
  'lb7-80,FRONTEND,OPEN,,',
  'lb7-80,10.0.1.21,UP,L4OK,',
  'lb7-80,10.0.1.22,DOWN,* L4CON,',
  'lb7-80,10.0.1.23,DOWN,INI,',
  'lb7-80,BACKEND,UP,,',
].join('\n');

test('health is what the checks last said, and unknown before they said anything', () => {
  expect(healthOf(balancer, statistics)).toEqual({
    '80/10.0.1.21': 'healthy',
    '80/10.0.1.22': 'unhealthy',
    '80/10.0.1.23': 'unknown',
    '80/10.0.1.24': 'unknown',
  });
});

test('a reload keeps healthy targets in; new and failed ones wait for a check', () => {
  const [version, header, ...lines] = stateFile([balancer], statistics).trimEnd().split('\n');
  expect(version).toBe('1');
  const columns = (header ?? '').replace('# ', '').split(' ');
  const at = (line: string, column: string) => line.split(' ')[columns.indexOf(column)];
  expect(lines.map((line) => [at(line, 'srv_name'), at(line, 'srv_op_state')])).toEqual([
    ['10.0.1.21', '2'],
    ['10.0.1.22', '0'],
    ['10.0.1.23', '0'],
    ['10.0.1.24', '0'],
  ]);
});
