import type { LoadBalancerSpec } from '../machinery.ts';
import { sectionName } from './balancer-config.ts';

export type TargetHealth = 'healthy' | 'unhealthy' | 'unknown';

/** HAProxy's own numbers for a server's state and for a check's last result. */
const OPERATION = { down: '0', up: '2' };
const CHECK_RESULT = { failed: '2', passed: '3' };

/**
 * The state file for a (re)started HAProxy: a target carries on as it was, and one that
 * is new gets no traffic until its first check has passed. (Left to itself HAProxy takes
 * every new server for healthy.)
 *
 * @param statistics `show stat` of the process to be replaced, '' when there is none
 */
export function stateFile(balancers: readonly LoadBalancerSpec[], statistics: string): string {
  const healthy = new Set(
    [...readStatistics(statistics)]
      .filter(([, health]) => health === 'healthy')
      .map(([key]) => key),
  );
  const lines = balancers.flatMap((balancer) =>
    balancer.services.flatMap((service) => {
      const section = sectionName(balancer, service);
      return balancer.targets.map((target) => {
        const up = healthy.has(`${section}/${target}`);
        return stateLine(section, target, service.destinationPort, up, service.healthCheck.retries);
      });
    }),
  );
  return `1\n# ${COLUMNS.join(' ')}\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** Health per target of one balancer, keyed by `<listen port>/<private ip>`. */
export function healthOf(balancer: LoadBalancerSpec, statistics: string) {
  const known = readStatistics(statistics);
  const health: Record<string, TargetHealth> = {};
  for (const service of balancer.services) {
    for (const target of balancer.targets) {
      const now = known.get(`${sectionName(balancer, service)}/${target}`) ?? 'unknown';
      health[`${service.listenPort}/${target}`] = now;
    }
  }
  return health;
}

/** `show stat` (CSV) as `<section>/<server>` → health; a target is unknown until its first check. */
function readStatistics(csv: string): Map<string, TargetHealth> {
  const [header = '', ...rows] = csv.split('\n');
  const columns = header.replace(/^# /, '').split(',');
  const at = (name: string) => columns.indexOf(name);
  const [section, server, status, check] = ['pxname', 'svname', 'status', 'check_status'].map(at);
  const health = new Map<string, TargetHealth>();
  for (const row of rows) {
    const cells = row.split(',');
    const cell = (index: number | undefined) => cells[index ?? -1] ?? '';
    if (['', 'FRONTEND', 'BACKEND'].includes(cell(server))) continue;
    const up = cell(status).startsWith('UP');
    const unchecked = /^(\* )?(INI|UNK)?$/.test(cell(check));
    const now = unchecked && !up ? 'unknown' : up ? 'healthy' : 'unhealthy';
    health.set(`${cell(section)}/${cell(server)}`, now);
  }
  return health;
}

const COLUMNS = [
  'be_id',
  'be_name',
  'srv_id',
  'srv_name',
  'srv_addr',
  'srv_op_state',
  'srv_admin_state',
  'srv_uweight',
  'srv_iweight',
  'srv_time_since_last_change',
  'srv_check_status',
  'srv_check_result',
  'srv_check_health',
  'srv_check_state',
  'srv_agent_state',
  'bk_f_forced_id',
  'srv_f_forced_id',
  'srv_fqdn',
  'srv_port',
  'srvrecord',
  'srv_use_ssl',
  'srv_check_port',
  'srv_check_addr',
  'srv_agent_addr',
  'srv_agent_port',
];

/** Sections and servers are matched by name: the numbers may be anything. */
function stateLine(section: string, target: string, port: number, up: boolean, retries: number) {
  const values: Record<string, string | number> = {
    be_id: 1,
    be_name: section,
    srv_id: 1,
    srv_name: target,
    srv_addr: target,
    srv_op_state: up ? OPERATION.up : OPERATION.down,
    srv_check_status: 1, // "initialising": with 0 HAProxy would never note a result
    srv_check_result: up ? CHECK_RESULT.passed : CHECK_RESULT.failed,
    srv_check_health: up ? Math.max(1, retries) : 0, // a count of checks passed: rise + fall - 1 at best
    srv_uweight: 1,
    srv_iweight: 1,
    srv_check_state: 6, // enabled and configured
    srv_port: port,
    srv_fqdn: '-',
    srvrecord: '-',
    srv_check_addr: '-',
    srv_agent_addr: '-',
  };
  return COLUMNS.map((column) => values[column] ?? 0).join(' ');
}
