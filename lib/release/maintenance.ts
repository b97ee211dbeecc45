import { escapeHtml } from '../report/markdown.ts';
import type { Host } from './host.ts';
import { caddy } from './layout.ts';

/**
 * While this page lies there, Caddy answers every request of the public site with it, 503 and
 * Retry-After. The load balancer's own question is answered as ever, so that the page is seen.
 */
export function maintenancePage(message: string): string {
  return `<!doctype html>
<html lang="fr">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>COMPTA</title></head>
<body>
<h1>COMPTA</h1>
<p>${escapeHtml(message)}</p>
</body>
</html>
`;
}

/**
 * @param before done on the host when something is to change.
 * @returns whether anything changed.
 */
export async function turnMaintenanceOn(
  host: Host,
  message: string,
  before: () => Promise<void>,
): Promise<boolean> {
  const page = maintenancePage(message);
  if ((await host.content(caddy.maintenance)) === page) return false;
  await before();
  await host.write(caddy.maintenance, page, '0644');
  return true;
}

/** As {@link turnMaintenanceOn}. */
export async function turnMaintenanceOff(
  host: Host,
  before: () => Promise<void>,
): Promise<boolean> {
  if (!(await inMaintenance(host))) return false;
  await before();
  await host.change(['rm', '-f', caddy.maintenance]);
  return true;
}

export async function inMaintenance(host: Host): Promise<boolean> {
  return (await host.content(caddy.maintenance)) !== undefined;
}

/**
 * Hosts that come into rotation, new ones or ones that were away, show users what the others show:
 * the page may have been turned on or off without them.
 */
export async function followMaintenance(
  targets: readonly { host: Host; current: unknown }[],
): Promise<void> {
  const seen = await Promise.all(
    targets.map(async ({ host, current }) => {
      const paths = [caddy.outOfRotation, caddy.maintenance];
      const [mark, page] = await Promise.all(paths.map((path) => host.content(path)));
      return { host, page, serves: current !== undefined && mark === undefined };
    }),
  );
  const example = seen.find(({ serves }) => serves);
  if (example === undefined) return;
  for (const { host, page, serves } of seen) {
    if (serves || page === example.page) continue;
    if (example.page === undefined) await host.change(['rm', '-f', caddy.maintenance]);
    else await host.write(caddy.maintenance, example.page, '0644');
  }
}
