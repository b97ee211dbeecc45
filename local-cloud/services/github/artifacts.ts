import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { bodyOf, json } from '../http.ts';

/**
 * The artifact service of GitHub's runner: the Twirp calls that @actions/artifact makes,
 * and the block uploads of the blob storage behind them. Artifacts are immutable and their
 * names unique within a run, as they are there.
 */
export interface Artifact {
  id: number;
  runId: string;
  jobId: string;
  name: string;
  size: number;
  digest: string | null;
  createdAt: string;
  blob: string;
  finalized: boolean;
}

const TWIRP = '/twirp/github.actions.results.api.v1.ArtifactService/';
const BLOBS = '/artifact-blobs/';

export class ArtifactStore {
  readonly #folder: string;
  readonly #index: string;
  readonly artifacts: Artifact[];

  constructor(folder: string) {
    this.#folder = folder;
    this.#index = join(folder, 'artifacts.json');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.artifacts = existsSync(this.#index)
      ? (JSON.parse(readFileSync(this.#index, 'utf8')) as Artifact[])
      : [];
  }

  handles(path: string): boolean {
    return path.startsWith(TWIRP) || path.startsWith(BLOBS);
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (url.pathname.startsWith(BLOBS)) return this.#blob(request, response, url);
    const run = runOf(request.headers.authorization);
    if (!run) return json(response, 401, { code: 'unauthenticated', msg: 'invalid runtime token' });
    const body = JSON.parse((await bodyOf(request)).toString('utf8')) as Record<string, string>;
    const origin = `http://${request.headers.host}`;
    switch (url.pathname.slice(TWIRP.length)) {
      case 'CreateArtifact': {
        const name = body.name ?? '';
        if (this.#find(run.runId, name)) {
          return json(response, 409, {
            code: 'already_exists',
            msg: `an artifact named ${name} exists`,
          });
        }
        const artifact = this.#add(run, name);
        return json(response, 200, {
          ok: true,
          signed_upload_url: `${origin}${BLOBS}${artifact.blob}?sig=${artifact.blob}`,
        });
      }
      case 'FinalizeArtifact': {
        const artifact = this.artifacts.find((a) => a.runId === run.runId && a.name === body.name);
        if (!artifact) return notFound(response);
        Object.assign(artifact, {
          finalized: true,
          size: Number(body.size),
          digest: body.hash ?? null,
        });
        this.#keep();
        return json(response, 200, { ok: true, artifact_id: String(artifact.id) });
      }
      case 'DeleteArtifact': {
        const artifact = this.#find(run.runId, body.name ?? '');
        if (!artifact) return notFound(response);
        this.artifacts.splice(this.artifacts.indexOf(artifact), 1);
        rmSync(join(this.#folder, artifact.blob), { force: true });
        this.#keep();
        return json(response, 200, { ok: true, artifact_id: String(artifact.id) });
      }
      case 'ListArtifacts':
        return json(response, 200, {
          artifacts: this.of(run.runId)
            .filter((a) => wanted(body, a))
            .map((a) => ({
              workflow_run_backend_id: a.runId,
              workflow_job_run_backend_id: a.jobId,
              database_id: String(a.id),
              name: a.name,
              size: String(a.size),
              created_at: a.createdAt,
              ...(a.digest ? { digest: a.digest } : {}),
            })),
        });
      case 'GetSignedArtifactURL': {
        const artifact = this.#find(run.runId, body.name ?? '');
        if (!artifact) return notFound(response);
        return json(response, 200, {
          name: artifact.name,
          signed_url: `${origin}${BLOBS}${artifact.blob}?sig=${artifact.blob}&name=${encodeURIComponent(artifact.name)}.zip`,
        });
      }
      default:
        return json(response, 404, { code: 'bad_route', msg: `no route for ${url.pathname}` });
    }
  }

  /** The finished artifacts of a run. */
  of(runId: string): Artifact[] {
    return this.artifacts.filter((artifact) => artifact.runId === runId && artifact.finalized);
  }

  #find(runId: string, name: string): Artifact | undefined {
    return this.of(runId).find((artifact) => artifact.name === name);
  }

  #add(run: { runId: string; jobId: string }, name: string): Artifact {
    const id = 1 + Math.max(0, ...this.artifacts.map((artifact) => artifact.id));
    const artifact = {
      ...run,
      id,
      name,
      size: 0,
      digest: null,
      createdAt: new Date().toISOString(),
      blob: randomUUID(),
      finalized: false,
    };
    this.artifacts.push(artifact);
    this.#keep();
    return artifact;
  }

  #keep(): void {
    writeFileSync(`${this.#index}.new`, JSON.stringify(this.artifacts, null, 2));
    renameSync(`${this.#index}.new`, this.#index);
  }

  /** Azure's block blobs: blocks are put one by one, the block list commits them in its order. */
  async #blob(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const name = url.pathname.slice(BLOBS.length);
    const artifact = this.artifacts.find((candidate) => candidate.blob === name);
    if (!artifact) return notFound(response);
    const file = join(this.#folder, name);
    if (request.method === 'GET') {
      response.writeHead(200, {
        'content-type': 'application/zip',
        'content-length': statSync(file).size,
      });
      return pipeline(createReadStream(file), response);
    }
    const body = await bodyOf(request);
    const block = (id: string) => `${file}.${Buffer.from(id).toString('hex')}`;
    const operation = url.searchParams.get('comp');
    if (operation === 'block') {
      writeFileSync(block(url.searchParams.get('blockid') ?? ''), body, { mode: 0o600 });
    } else if (operation === 'blocklist') {
      writeFileSync(file, '', { mode: 0o600 });
      for (const [, id = ''] of body.toString('utf8').matchAll(/<Latest>([^<]+)<\/Latest>/g)) {
        appendFileSync(file, readFileSync(block(id)));
        rmSync(block(id));
      }
    } else {
      writeFileSync(file, body, { mode: 0o600 });
    }
    response
      .writeHead(201, { etag: `"${randomUUID()}"`, 'last-modified': new Date().toUTCString() })
      .end();
  }
}

function wanted(filter: Record<string, string>, artifact: Artifact): boolean {
  const name = filter.name_filter ?? filter.nameFilter;
  const id = filter.id_filter ?? filter.idFilter;
  return (!name || name === artifact.name) && (!id || id === String(artifact.id));
}

/** The run and job that a runtime token speaks for: scope `Actions.Results:<run>:<job>`. */
function runOf(authorization: string | undefined): { runId: string; jobId: string } | undefined {
  const claims = authorization?.split('.')[1];
  if (!claims) return undefined;
  const { scp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { scp?: string };
  const [, runId, jobId] = /Actions\.Results:([^:\s]+):([^:\s]+)/.exec(scp ?? '') ?? [];
  return runId && jobId ? { runId, jobId } : undefined;
}

function notFound(response: ServerResponse): void {
  json(response, 404, { code: 'not_found', msg: 'no such artifact' });
}
