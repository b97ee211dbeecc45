import { CommandFailed, inTerminal, run } from '../../lib/process/run.ts';
import { type Circumstances, underLease } from '../../lib/release/bring.ts';
import type { Host } from '../../lib/release/host.ts';
import { LEASE_VARIABLE } from '../../lib/release/inputs.ts';
import { audit } from '../../lib/release/store.ts';

/** Seconds. Longer than a boot: what runs here may restart the servers, and the bastion before them. */
const leaseLifetime = 300;

/**
 * Runs a command while the environment's lease is held; what `compta` and its playbooks do in there
 * joins the lease by the token in COMPTA_LEASE. The command is interrupted when the lease is lost.
 *
 * @returns the command's exit code.
 * @throws LeaseLostError when another run took the lease.
 */
export async function lock(
  hosts: readonly Host[],
  command: readonly string[],
  how: Circumstances & { reason: string },
): Promise<number> {
  return underLease(hosts, { ...how, leaseLifetime }, async (lease) => {
    await Promise.all(hosts.map((host) => audit(host, how.by, 'lock', how.run, how.reason)));
    how.cancelled.throwIfAborted();
    // Ctrl-C reaches the command without us, and what it does then is its own affair.
    const stopped = inTerminal() ? terminated() : how.cancelled;
    try {
      const { exitCode } = await run(command, {
        foreground: true,
        env: { ...process.env, [LEASE_VARIABLE]: String(lease.token) },
        signal: AbortSignal.any([stopped, lease.lost]),
      });
      return exitCode;
    } catch (error) {
      lease.lost.throwIfAborted();
      const ended = error instanceof CommandFailed && !stopped.aborted;
      if (ended && error.exitCode !== undefined) return error.exitCode;
      throw error;
    }
  });
}

function terminated(): AbortSignal {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(new Error('Stopped by SIGTERM.')));
  return stop.signal;
}
