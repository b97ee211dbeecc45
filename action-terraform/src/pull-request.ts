import { readFileSync } from 'node:fs';
import { keyedDigest } from './binding.ts';
import { canonicalJson } from './canonical.ts';
import type { Session } from './session.ts';

/** The pull request that this run is of. */
export interface PullRequest {
  owner: string;
  repo: string;
  number: number;
}

/** @returns undefined when the event is of no pull request */
export function pullRequestOf(env: NodeJS.ProcessEnv): PullRequest | undefined {
  if (!env.GITHUB_EVENT_PATH || !env.GITHUB_REPOSITORY) return undefined;
  const event = JSON.parse(readFileSync(env.GITHUB_EVENT_PATH, 'utf8')) as {
    pull_request?: { number: number };
  };
  const [owner = '', repo = ''] = env.GITHUB_REPOSITORY.split('/');
  const number = event.pull_request?.number;
  return number === undefined ? undefined : { owner, repo, number };
}

/**
 * The hidden first line by which a comment is found again: one for each root module and
 * workspace, and keyed, so that nobody can write one before us that we would take for ours.
 */
export function markerOf(
  { directoryName, workspace }: { directoryName: string; workspace: string },
  pullRequest: PullRequest,
  key: string,
): string {
  const place = canonicalJson({ directoryName, workspace, ...pullRequest });
  return `<!-- compta-terraform ${keyedDigest(key, place)} -->`;
}

/** For all pages and the writing together. */
const PATIENCE_MS = 60_000;

/**
 * Writes the comment, or rewrites the one that is there.
 *
 * @returns its address
 * @throws RequestError when GitHub refuses it
 */
export async function keepComment(
  session: Session,
  token: string,
  key: string,
  body: string,
): Promise<string | undefined> {
  const { inputs, runner } = session;
  const pullRequest = pullRequestOf(runner.env);
  if (pullRequest === undefined) {
    runner.info('This run is of no pull request, so there is nothing to comment on.');
    return undefined;
  }
  const { number: issue_number, ...repository } = pullRequest;
  const { getOctokit } = await import('@actions/github'); // Seldom wanted, and half a megabyte.
  const { rest, paginate } = getOctokit(token, {
    baseUrl: runner.env.GITHUB_API_URL || 'https://api.github.com',
  });
  const marker = markerOf(inputs, pullRequest, key);
  const text = runner.redact(`${marker}\n${body}`);
  const request = {
    signal: AbortSignal.any([session.cancelled, AbortSignal.timeout(PATIENCE_MS)]),
  };
  const common = { ...repository, issue_number, request };
  const ours = await find();
  const { data } = ours
    ? await rest.issues.updateComment({ ...repository, comment_id: ours, body: text, request })
    : await rest.issues.createComment({ ...common, body: text });
  return data.html_url;

  /** Page by page, as a long conversation has many, and ours is mostly on the first. */
  async function find(): Promise<number | undefined> {
    const pages = paginate.iterator(rest.issues.listComments, { ...common, per_page: 100 });
    for await (const { data: page } of pages) {
      const found = page.find((comment) => comment.body?.startsWith(marker));
      if (found) return found.id;
    }
    return undefined;
  }
}
