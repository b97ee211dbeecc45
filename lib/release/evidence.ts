import type { ExecResult } from '../ssh/connection.ts';
import type { Host } from './host.ts';
import { inspect } from './inspection.ts';

/** What can still be learnt of a slot that failed, before it is removed. */
export interface Evidence {
  host: string;
  service: string;
  slot: string;
  status: string;
  exitCode: number;
  outOfMemory: boolean;
  restarts: number;
  /** Output of the last health check. */
  lastHealth: string;
  /** Addresses at which it really listens, such as `*:8080`, Docker's name server apart; none when it has ended. */
  listening: string[];
  /** Last 50 lines of the container's log. */
  log: string;
}

/** A service that cannot be released, with the reason in a sentence. */
export class ReleaseFailure extends Error {
  override readonly name = 'ReleaseFailure';
  readonly evidence: Evidence | undefined;
  constructor(message: string, evidence?: Evidence, options?: ErrorOptions) {
    super(message, options);
    this.evidence = evidence;
  }
}

/** The sentence that an error says, without its causes. */
export function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Gathers what explains a failure. */
export async function gather(
  host: Host,
  container: string,
  service: string,
  slot: string,
): Promise<Evidence> {
  const seen = await inspect(host, container);
  const asked = (script: string): Promise<ExecResult> =>
    host.read(['sh', '-c', script, 'gather', container], { allowFailure: true });
  const [logs, sockets] = await Promise.all([
    asked('docker logs --tail 50 "$1" 2>&1'),
    asked(`pid=$(docker inspect -f '{{.State.Pid}}' "$1") && [ "$pid" -gt 0 ] || exit
nsenter -t "$pid" -n ss -ltnH | awk '$4 !~ /^127\\.0\\.0\\.11:/ {print $4}'`),
  ]);
  return {
    host: host.name,
    service,
    slot,
    status: seen?.status ?? 'gone',
    exitCode: seen?.exitCode ?? 0,
    outOfMemory: seen?.outOfMemory ?? false,
    restarts: seen?.restarts ?? 0,
    lastHealth: seen?.lastHealth ?? '',
    listening: sockets.stdout.split('\n').filter((line) => line !== ''),
    log: logs.stdout.trimEnd(),
  };
}
