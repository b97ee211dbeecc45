import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { parse as parseYaml } from 'yaml';
import { renderCompose } from '../../lib/release/compose.ts';
import { type Circumstances, deploy, type Outcome, rollback } from '../../lib/release/deploy.ts';
import type { Host } from '../../lib/release/host.ts';
import { imagesSchema, sortImages, variablesSchema } from '../../lib/release/images.ts';
import { defaultCaddyfile, defaultComposeFile, identity } from '../../lib/release/inputs.ts';
import { freeLeases, readLease } from '../../lib/release/lease.ts';
import { audit, currentRelease, readHistory, unfinished } from '../../lib/release/store.ts';
import { needed, type Options, UsageError } from './arguments.ts';

/** What runs where, and who holds the environment. */
export async function status(hosts: readonly Host[]) {
  return Promise.all(
    hosts.map(async (host) => ({
      host: host.name,
      release: (await currentRelease(host))?.release ?? '',
      unfinished: (await unfinished(host)) ?? '',
      lease: await readLease(host),
      slots: (await host.state()).slots.map(({ service, slot, version, health }) => ({
        service,
        slot,
        version,
        health,
      })),
    })),
  );
}

export async function history(hosts: readonly Host[]) {
  return Promise.all(
    hosts.map(async (host) => ({ host: host.name, entries: await readHistory(host) })),
  );
}

/** Frees the environment by force; the audit log keeps who did it and why. */
export async function unlock(hosts: readonly Host[], options: Options) {
  const reason = needed(options, 'reason');
  const freed = await freeLeases(hosts, undefined);
  const { by, run } = who();
  for (const host of hosts.filter((candidate) => candidate.token !== undefined)) {
    await audit(host, by, 'unlock', run, reason);
  }
  return freed;
}

export function deployBy(
  hosts: readonly Host[],
  environment: string,
  options: Options,
  manners: Pick<Circumstances, 'say' | 'cancelled'>,
): Promise<Outcome> {
  const read = (name: 'images' | 'variables'): unknown =>
    parseYaml(readFileSync(needed(options, name), 'utf8'));
  const { images, variables } = sortImages(
    imagesSchema.parse(read('images')),
    variablesSchema.parse(read('variables')),
  );
  const wanted = {
    environment,
    version: needed(options, 'version'),
    images,
    variables,
    caddyfile: readFileSync(defaultCaddyfile, 'utf8'),
    compose: renderCompose(defaultComposeFile(environment), variables),
  };
  return deploy(hosts, wanted, circumstances(options, manners));
}

export function rollbackBy(
  hosts: readonly Host[],
  environment: string,
  options: Options,
  manners: Pick<Circumstances, 'say' | 'cancelled'>,
): Promise<Outcome> {
  const reason = needed(options, 'reason');
  if (needed(options, 'confirm') !== environment) {
    throw new UsageError(`--confirm must be ${environment}, the environment's name.`);
  }
  return rollback(hosts, options.version, { ...circumstances(options, manners), reason });
}

function circumstances(
  options: Options,
  manners: Pick<Circumstances, 'say' | 'cancelled'>,
): Circumstances {
  const batch = Number(options.batch);
  if (!Number.isInteger(batch) || batch < 1) throw new UsageError('--batch is a whole number.');
  const baseUrl = options['base-url'];
  return {
    ...who(),
    ...manners,
    batch,
    healthTimeout: 180_000,
    drainTimeout: 30_000,
    lockTimeout: 900_000,
    edgeDrain: 15_000,
    keep: 3,
    rollbackOnFailure: true,
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
}

function who(): { by: string; run: string } {
  return identity({ USER: userInfo().username, ...process.env });
}
