import { ReleaseFailure } from './evidence.ts';
import type { Manifest } from './manifest.ts';
import { pause } from './waiting.ts';

/**
 * The last gate: users' own way in, through the load balancer. Each service must tell the version of
 * this release as often as it is asked at once, so that every host has been asked.
 * @param times how often; twice the number of hosts where the load balancer asks them in turn.
 * @throws ReleaseFailure with the last wrong answer.
 */
export async function passGate(
  baseUrl: string,
  manifest: Manifest,
  times: number,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const service of manifest.order) {
    const path = manifest.versionPaths[service];
    const expected = manifest.services[service]?.version;
    if (path === undefined || expected === undefined) continue;
    const url = new URL(path, baseUrl).href;
    for (;;) {
      const answers = await Promise.all(Array.from({ length: times }, () => ask(url)));
      const wrong = answers.find(({ version }) => version !== expected);
      if (wrong === undefined) break;
      if (Date.now() > deadline) {
        const why = wrong.problem ?? `it answers version ${wrong.version}`;
        throw new ReleaseFailure(
          `${url} does not give ${service} ${expected} through the load balancer: ${why}.`,
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
