import { CommandFailed } from '../../lib/process/run.ts';

/** What a workflow can branch on, as output `failure-reason`. */
export type FailureReason =
  | 'plan-missing'
  | 'plan-refused'
  | 'plan-stale'
  | 'state-locked'
  | 'destroy-refused'
  | 'refresh-refused'
  | 'policy-refused'
  | 'backend-refused'
  | 'provider-refused'
  | 'api-refused'
  | 'api-unavailable'
  | 'not-formatted'
  | 'not-valid'
  | 'cancelled'
  | 'failed';

/** A step that failed for a reason we can name, with the sentence that says what to do. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  readonly reason: FailureReason;
  constructor(reason: FailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.reason = reason;
  }
}

/** What goes by without our doing: budgets spent, gateways and connections broken. */
const UNAVAILABLE =
  /rate_limit_exceeded|rate limit|429 Too Many|status ?code:? (429|50[0234])|50[234] (Bad Gateway|Service|Gateway)|unexpected response: 50[234]|server responded with status code 50[234]|connection (reset|refused)|i\/o timeout|TLS handshake timeout|deadline exceeded|: (unexpected )?EOF\b/i;

/** Reads Terraform's own words for the failures that have a remedy of their own. */
export function explained(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  const printed = `${error.stdout}\n${error.stderr}`;
  // Where there is no terminal, Terraform breaks its lines at 78 columns, wherever a phrase is then.
  const said = printed.replaceAll('\n', ' ');
  if (/Saved plan is stale/.test(said)) {
    return new StepFailed(
      'plan-stale',
      'The state has moved since the plan was made, so it was not applied. Plan again.',
      error,
    );
  }
  // Whatever fails the writing of the lock is called so, a bucket that does not answer too.
  const lock = lockIn(printed);
  if (/Error acquiring the state lock/.test(said) && (lock || !UNAVAILABLE.test(said))) {
    return new StepFailed('state-locked', lockSentence(lock), error);
  }
  if (/unauthorized|token you provided is invalid|Invalid token/i.test(said)) {
    return new StepFailed(
      'api-refused',
      "Hetzner refused the API token: check input 'hcloud-token'.",
      error,
    );
  }
  if (/Provider dependency changes detected|does not match configured version/.test(said)) {
    return new StepFailed(
      'provider-refused',
      "The configuration asks for a provider that .terraform.lock.hcl does not fix, and a run changes no lock file: run 'terraform init -upgrade', look at what it changes there, and commit that.",
      error,
    );
  }
  if (/match any of the checksums/.test(said)) {
    return new StepFailed(
      'provider-refused',
      "A provider is not the one whose checksums .terraform.lock.hcl has. When this runner's platform is missing there, add it with 'terraform providers lock -platform=…' and commit that; otherwise do not work around it: it is another program than the one you chose.",
      error,
    );
  }
  if (/was cancelled/.test(error.message)) {
    return new StepFailed('cancelled', 'The job was cancelled; Terraform was asked to end.', error);
  }
  if (UNAVAILABLE.test(said)) {
    return new StepFailed(
      'api-unavailable',
      'The other side did not answer as it should, or had no requests left for us. What was made is in the state: plan again and go on.',
      error,
    );
  }
  return error;
}

export interface Lock {
  id: string;
  who: string;
  operation: string;
  created: string;
}

/** The lock that Terraform's error describes. */
export function lockIn(text: string): Lock | undefined {
  const field = (name: string) => new RegExp(`\\b${name}:\\s+(.+?)\\s*$`, 'm').exec(text)?.[1];
  const id = field('ID');
  if (id === undefined) return undefined;
  const known = (name: string) => field(name) ?? 'unknown';
  return { id, who: known('Who'), operation: known('Operation'), created: known('Created') };
}

function lockSentence(lock: Lock | undefined): string {
  if (lock === undefined) return "The state's lock could not be taken; nobody is said to have it.";
  return (
    `The state is locked by ${lock.who} since ${lock.created} (${lock.operation}, lock ${lock.id}). ` +
    "Wait for it, raise 'lock-timeout', or, when its owner is surely gone, free it with command " +
    `'unlock' and lock-id '${lock.id}'.`
  );
}
