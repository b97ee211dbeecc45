import { ReleaseFailure } from './evidence.ts';
import type { Manifest } from './manifest.ts';
import { pause } from './waiting.ts';

/**
 * The last gate: users' own way in, through the load balancer. Each service must tell the version
 * of this release in a row as long as `streak`, so that every host has been asked.
 * @throws ReleaseFailure with the last wrong answer.
 */
export async function passGate(
  baseUrl: string,
  manifest: Manifest,
  streak: number,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const service of manifest.order) {
    const path = manifest.versionPaths[service];
    const expected = manifest.services[service]?.version;
    if (path === undefined || expected === undefined) continue;
    const url = new URL(path, baseUrl).href;
    for (let good = 0, last = ''; good < streak; ) {
      const { version, problem } = await ask(url);
      if (version === expected) {
        good += 1;
        continue;
      }
      good = 0;
      last = problem ?? `it answers version ${version}`;
      if (Date.now() > deadline) {
        throw new ReleaseFailure(
          `${url} does not give ${service} ${expected} through the load balancer: ${last}.`,
        );
      }
      await pause(500);
    }
  }
}

async function ask(url: string): Promise<{ version?: string; problem?: string }> {
  try {
    // A fresh connection each time, or the load balancer would keep to one host.
    const response = await fetch(url, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) return { problem: `it answers ${response.status}` };
    const body = (await response.json()) as { version?: unknown };
    return { version: String(body.version) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
