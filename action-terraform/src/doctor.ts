import { randomUUID } from 'node:crypto';
import { type Backend, backendOf } from './backend.ts';
import { StepFailed } from './failure.ts';
import { patiently } from './patience.ts';
import { type Bucket, type S3Request, send } from './s3.ts';
import type { Session } from './session.ts';

/**
 * Terraform's lock in an S3 bucket is an object that is written only when there is none. A store
 * that ignores the condition excludes nobody, and says nothing: so it has to prove itself.
 *
 * @throws StepFailed 'backend-refused' when the backend locks nothing, or does not prove that it does
 */
export async function examineBackend(session: Session): Promise<void> {
  const backend = await backendOf(session);
  // Every other backend that Terraform brings along locks by itself.
  if (backend?.type !== 's3') return;
  const { use_lockfile, dynamodb_table } = backend.config;
  if (use_lockfile !== true) {
    if (dynamodb_table) return;
    throw new StepFailed(
      'backend-refused',
      "The S3 backend has no lock, so two applies can destroy each other's state: set use_lockfile = true.",
    );
  }
  const bucket = bucketOf(backend, session.env);
  if (bucket === undefined) {
    session.runner.warning(
      "The lock of the state's bucket was not examined: that needs 'state-access-key-id' and 'state-secret-access-key'.",
    );
    return;
  }
  // Another object each time: the write of an attempt whose answer was lost may have been done.
  await patiently(session, () =>
    proveConditionalWrites(bucket, `${String(backend.config.key)}.doctor-${randomUUID()}`),
  );
}

/**
 * Writes an object that must not be there twice: the second time must be refused with 412.
 *
 * @throws StepFailed 'backend-refused', and 'api-unavailable' when the store proved neither
 */
export async function proveConditionalWrites(bucket: Bucket, key: string): Promise<void> {
  const write = () =>
    ask(bucket, { method: 'PUT', key, body: 'doctor', headers: { 'if-none-match': '*' } });
  try {
    const first = await write();
    if (!first.ok) throw refused(bucket, `refused a first write with ${first.status}`);
    const second = await write();
    if (second.status !== 412) {
      throw refused(bucket, `answered ${second.status}, not 412, to a second conditional write`);
    }
  } finally {
    // Six bytes that stay are no reason to do anything else than what was found out.
    await send(bucket, { method: 'DELETE', key }).catch(() => undefined);
  }
}

const BUSY = new Set([429, 500, 502, 503, 504]);

async function ask(bucket: Bucket, request: S3Request): Promise<Response> {
  const where = `Bucket '${bucket.bucket}' at ${bucket.endpoint}`;
  const answer = await send(bucket, request).catch((cause: unknown) => {
    throw new StepFailed('api-unavailable', `${where} did not answer.`, cause);
  });
  if (!BUSY.has(answer.status)) return answer;
  throw new StepFailed('api-unavailable', `${where} answered ${answer.status}.`);
}

function refused({ endpoint, bucket }: Bucket, what: string): StepFailed {
  return new StepFailed(
    'backend-refused',
    `Bucket '${bucket}' at ${endpoint} ${what}. Its lock would exclude nobody, so nothing is applied: ` +
      'keep the state in a store that honours If-None-Match, such as Hetzner Object Storage.',
  );
}

function bucketOf({ config }: Backend, env: NodeJS.ProcessEnv): Bucket | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  const endpoints = (config.endpoints ?? {}) as { s3?: string | null };
  const region = String(config.region ?? env.AWS_REGION ?? 'us-east-1');
  return {
    endpoint:
      endpoints.s3 ||
      String(config.endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_S3_ENDPOINT || '') ||
      `https://s3.${region}.amazonaws.com`,
    region,
    bucket: String(config.bucket),
    pathStyle: config.use_path_style === true,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN || undefined,
  };
}
