import { z } from 'zod';
import type { Host } from './host.ts';

const inspectSchema = z.object({
  RestartCount: z.number(),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Error: z.string(),
    StartedAt: z.string(),
    Health: z
      .object({
        Status: z.string(),
        Log: z
          .array(z.object({ End: z.string(), Output: z.string(), ExitCode: z.number() }))
          .nullable(),
      })
      .optional(),
  }),
});

export interface Inspection {
  /** When Docker was asked, by the server's clock: seconds since the epoch. */
  at: string;
  status: string;
  health: string | undefined;
  exitCode: number;
  outOfMemory: boolean;
  restarts: number;
  lastHealth: string;
  /** When its last health check ended, or else when it started: as `at`. */
  checkedAt: number;
}

/** What a container goes through while it comes up. */
const turns = ['start', 'health_status', 'oom', 'die', 'destroy'];

/** $1 the container, $2 seconds to wait at most, $3 since when. What listens to Docker ends with the first word. */
const afterNextTurn = `listen='echo $$; exec timeout "$@"'
sh -c "$listen" listen "$2" docker events --format . --since "$3" --filter "container=$1" \
${turns.map((turn) => `--filter event=${turn}`).join(' ')} |
{ read -r pid; read -r turn && kill "$pid"; }
`;

const now = `date +%s.%N
exec docker inspect -f '{"RestartCount":{{json .RestartCount}},"State":{{json .State}}}' "$1"`;

/**
 * State of one container; `undefined` when it is gone.
 * @param after to wait for its next turn since then first, on the server itself and for so many seconds at
 * most. Asking again and again instead costs a server a process of sshd, sudo and Docker each time.
 */
export async function inspect(
  host: Host,
  container: string,
  after?: { at: string; seconds: number; stop: AbortSignal | undefined },
): Promise<Inspection | undefined> {
  const script = after === undefined ? now : `${afterNextTurn}${now}`;
  const words = after === undefined ? [] : [String(after.seconds), after.at];
  const { code, stdout } = await host.read(['sh', '-c', script, 'inspect', container, ...words], {
    allowFailure: true,
    ...(after?.stop && { signal: after.stop }),
  });
  if (code !== 0) return undefined;
  const [at = '', state = ''] = stdout.split('\n');
  const { RestartCount, State } = inspectSchema.parse(JSON.parse(state));
  const last = State.Health?.Log?.at(-1);
  return {
    at,
    status: State.Status,
    health: State.Health?.Status,
    exitCode: State.ExitCode,
    outOfMemory: State.OOMKilled,
    restarts: RestartCount,
    lastHealth: last === undefined ? State.Error : `exit ${last.ExitCode}: ${last.Output.trim()}`,
    checkedAt: Date.parse(last?.End ?? State.StartedAt) / 1000,
  };
}
