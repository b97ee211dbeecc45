import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { keepComment, markerOf } from '../src/pull-request.ts';
import { KEY } from './fixtures.ts';
import { startComments } from './github-comments.ts';

/** Our comment among others, by the client that GitHub's own actions use. */
let github: Awaited<ReturnType<typeof startComments>>;
let folder: string;
beforeEach(async () => {
  github = await startComments();
  folder = mkdtempSync(join(tmpdir(), 'compta-comment-'));
});
afterEach(() => {
  github.close();
  rmSync(folder, { recursive: true });
});

const inputs = { directoryName: 'terraform/tiny', workspace: 'default' };
const marker = markerOf(inputs, { owner: 'compta', repo: 'deploy', number: 7 }, KEY);

function keep(body: string, token = 'token-of-the-job') {
  const event = join(folder, 'event.json');
  writeFileSync(event, JSON.stringify({ pull_request: { number: 7 } }));
  const env = {
    GITHUB_EVENT_PATH: event,
    GITHUB_REPOSITORY: 'compta/deploy',
    GITHUB_API_URL: github.url,
  };
  const runner = { env, redact: (text: string) => text, info: () => {} };
  const session = { inputs, runner, cancelled: new AbortController().signal };
  return keepComment(session as never, token, KEY, body);
}

const say = (body: string) => {
  const id = github.comments.length + 1;
  github.comments.push({ id, body, html_url: `https://github/${id}` });
};

describe("the pull request's comment", () => {
  it('is found behind hundreds of others, and no page after it is asked for', async () => {
    for (let count = 0; count < 250; count += 1) say('Looks good.');
    say(`${marker}\nas it was`);
    for (let count = 0; count < 200; count += 1) say('Does it?');
    await keep('as it is');
    expect(github.comments).toHaveLength(451);
    expect(github.comments[250]?.body).toBe(`${marker}\nas it is`);
    expect(github.requests.map((request) => request.split(' ')[0])).toEqual([
      'GET',
      'GET',
      'GET',
      'PATCH',
    ]);
  });

  it('is made when none of many is ours', async () => {
    for (let count = 0; count < 101; count += 1) say('<!-- compta-terraform of somebody -->');
    expect(await keep('new')).toBe('https://github/7');
    expect(github.comments.at(-1)?.body).toBe(`${marker}\nnew`);
  });

  it.each([403, 404, 500])('that GitHub answers %i to is a failure of its own', async (status) => {
    github.trouble.status = status;
    await expect(keep('new')).rejects.toMatchObject({ status });
  });
});
