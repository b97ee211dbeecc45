import { CommandFailed, type RunResult } from '../../lib/process/run.ts';
import { whileAnswered } from './answering.ts';
import { type Lock, lockIn, StepFailed } from './failure.ts';
import { deadOwner, forgetOwner, otherOwners, recordOwner, thisMachine } from './owners.ts';
import type { Options, Session } from './session.ts';

/**
 * Runs a command that takes the state's lock. A lock whose owner is provably dead is freed, with
 * a line that says so; any other is waited for.
 *
 * @param argv the command line for a lock timeout
 */
export async function locked(
  session: Session,
  argv: (lockTimeout: string) => string[],
  options: Options = {},
): Promise<RunResult> {
  const { inputs, runner } = session;
  const patience = milliseconds(inputs.lockTimeout);
  const record = await recordOwner(runner.env, patience);
  try {
    const result = await withLock();
    await forgetOwner(runner.env, record);
    return result;
  } catch (error) {
    // With the lock left behind, the record stays: the next one can prove by it that nobody holds it.
    if (!mayHaveLeftLock(error)) await forgetOwner(runner.env, record);
    throw error;
  }

  async function withLock(): Promise<RunResult> {
    const deadline = Date.now() + patience;
    for (let wait = 0; ; wait = secondsUntil(deadline)) {
      try {
        return await whileAnswered(session, (silent) =>
          session.terraform(argv(`${wait}s`), { ...options, end: silent }),
        );
      } catch (error) {
        const said = lockErrorIn(error);
        const lock = lockIn(said);
        if (lock === undefined && !WRITTEN_BEFORE.test(said)) throw error;
        if (lock && (await freeIfDead(session, lock, record))) continue;
        if (Date.now() >= deadline) throw error;
        if (lock && wait === 0) {
          runner.info(`The state is locked by ${lock.who}: waiting up to ${inputs.lockTimeout}.`);
        }
      }
    }
  }
}

/** Whether Terraform was cancelled or killed, or could not give the lock back. */
function mayHaveLeftLock(error: unknown): boolean {
  const failed = error instanceof StepFailed ? error.cause : error;
  if (!(failed instanceof CommandFailed)) return false;
  const said = `${failed.message}\n${failed.stderr}`;
  return /was cancelled|was killed by SIG|Error releasing the state lock/.test(said);
}

/** How long to wait before asking again whether the owner has died, in seconds. */
const PROOF_AGAIN_S = 15;

function secondsUntil(deadline: number): number {
  const left = Math.ceil((deadline - Date.now()) / 1_000);
  return Math.max(0, Math.min(left, PROOF_AGAIN_S));
}

/** "90s", "5m", "1h30m", as Terraform takes it. */
export function milliseconds(duration: string): number {
  const unit: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };
  const parts = [...duration.matchAll(/(\d+)([smh])/g)];
  return parts.reduce((sum, [, count, of = '']) => sum + Number(count) * (unit[of] ?? 0), 0);
}

async function freeIfDead(session: Session, lock: Lock, own: string): Promise<boolean> {
  const { runner } = session;
  const owner = deadOwner(lock, await otherOwners(runner.env, own), thisMachine());
  if (owner === undefined) return false;
  await session.terraform(['force-unlock', '-force', lock.id]);
  await forgetOwner(runner.env, owner.record);
  runner.warning(
    `Freed the state lock ${lock.id} (${lock.operation}, taken ${lock.created} by ${lock.who}): ` +
      `its owner, ${owner.run}, ended on this machine without giving it back, and no Terraform of that time is running.`,
    { title: 'State unlocked' },
  );
  return true;
}

/**
 * The lock's object was there and, when Terraform looked whose it is, no more: its holder has just
 * let go. Terraform itself does not ask again then.
 */
const WRITTEN_BEFORE = /PreconditionFailed|ConditionalRequestConflict|StatusCode:\s*412/;

/** What Terraform said of a lock that it did not get; '' for any other failure. */
function lockErrorIn(error: unknown): string {
  if (!(error instanceof StepFailed) || error.reason !== 'state-locked') return '';
  return error.cause instanceof CommandFailed ? error.cause.stderr : '';
}
