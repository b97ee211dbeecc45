import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Comment {
  id: number;
  body: string;
  html_url: string;
}

/** GitHub's comments of issues, as @actions/github asks for them, on loopback. */
export async function startComments() {
  const comments: Comment[] = [];
  const requests: string[] = [];
  /** What every request is answered with, for as long as there is something. */
  const trouble: { status?: number } = {};
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url?.split('?')[0]}`);
    let text = '';
    for await (const chunk of request) text += chunk;
    const [, issue, id] =
      /^\/repos\/compta\/deploy\/issues\/(?:(\d+)\/comments|comments\/(\d+))/.exec(
        request.url ?? '',
      ) ?? [];
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.headers.authorization !== 'token token-of-the-job') return answer(401, {});
    if (trouble.status) return answer(trouble.status, { message: 'Not for you.' });
    if (request.method === 'GET' && issue) {
      const asked = new URL(request.url ?? '/', `http://${request.headers.host}`);
      const size = Number(asked.searchParams.get('per_page') ?? 30);
      const page = Number(asked.searchParams.get('page') ?? 1);
      if (page * size < comments.length) {
        asked.searchParams.set('page', String(page + 1));
        response.setHeader('link', `<${asked}>; rel="next"`);
      }
      return answer(200, comments.slice((page - 1) * size, page * size));
    }
    const { body } = JSON.parse(text || '{}') as { body: string };
    if (request.method === 'POST' && issue) {
      const made = { id: comments.length + 1, body, html_url: `https://github/${issue}` };
      comments.push(made);
      return answer(201, made);
    }
    const known = comments.find((comment) => comment.id === Number(id));
    if (request.method !== 'PATCH' || !known) return answer(404, {});
    known.body = body;
    return answer(200, known);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    comments,
    requests,
    trouble,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}
