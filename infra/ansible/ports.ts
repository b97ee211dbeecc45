/**
 * Keeps the table in docs/ports.md equal to ports.yml: `node infra/ansible/ports.ts` fails on a
 * difference, `--write` mends it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { table } from '../../lib/report/markdown.ts';
import { fill } from '../../scripts/readme.ts';

const document = resolve(import.meta.dirname, '../../docs/ports.md');

const shape = z.array(
  z.strictObject({
    port: z.int(),
    role: z.enum(['all', 'application', 'bastion', 'database', 'monitoring']),
    network: z.enum(['private', 'public']),
    service: z.string(),
    from: z.string(),
  }),
);
export type Port = z.infer<typeof shape>[number];

/** What may be reached on which server, and from where. */
export const PORTS: readonly Port[] = shape.parse(
  parse(readFileSync(join(import.meta.dirname, 'ports.yml'), 'utf8')),
);

/** Ports of a server with that role that may be open on one of its networks. */
export function portsOf(role: string, network?: Port['network']): number[] {
  return PORTS.filter((entry) => entry.role === 'all' || entry.role === role)
    .filter((entry) => network === undefined || entry.network === network)
    .map(({ port }) => port);
}

/** The document as it is and as it should be. */
export function portsDocument(): { before: string; after: string } {
  const before = readFileSync(document, 'utf8');
  const rows = PORTS.map(({ port, role, network, service, from }) => [
    String(port),
    role === 'all' ? 'every server' : role,
    network,
    service,
    from,
  ]);
  const header = ['port', 'on', 'network', 'service', 'for'];
  return { before, after: fill(before, 'ports', table(header, rows)) };
}

if (import.meta.main) {
  const { before, after } = portsDocument();
  if (process.argv.includes('--write')) writeFileSync(document, after);
  else if (before !== after) {
    console.error('docs/ports.md differs from ports.yml: run node infra/ansible/ports.ts --write.');
    process.exitCode = 1;
  }
}
