import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A public address, and how a client reaches it. */
export interface Site {
  base: string;
  /** What its name resolves to; asked of the name server when left out. */
  address?: string;
  /** PEM of the root that its certificate is under. */
  ca?: string;
}

/** One way of sending requests. */
export interface Door {
  /**
   * Sends a request once; POST with a body, else GET.
   * @param over milliseconds that the body takes, where HTTP/1.1 is spoken.
   * @returns the status, after the whole answer.
   */
  send: (path: string, body?: Buffer, over?: number) => Promise<number>;
  close: () => void;
}

/** Milliseconds after which an answer is not waited for any longer. */
const patience = 60_000;
const late = (): Error => new Error(`no answer in ${patience / 1000} s`);

/** What every connection to a site is made with. */
export function connecting({ address, ca }: Site): Pick<RequestOptions, 'lookup' | 'ca'> {
  const lookup: LookupFunction = (_name, { all }, done) => {
    if (all) done(null, [{ address: String(address), family: 4 }]);
    else done(null, String(address), 4);
  };
  return { ...(address !== undefined && { lookup }), ...(ca !== undefined && { ca }) };
}

/** @param keepAlive whether a connection is used again; else each request has its own. */
export function overHttp1(site: Site, keepAlive: boolean): Door {
  const secure = site.base.startsWith('https:');
  const Agent = secure ? HttpsAgent : HttpAgent;
  // In turn, so that none of them is idle for as long as others take an idle one for dead.
  const agent = keepAlive ? new Agent({ keepAlive: true, scheduling: 'fifo' }) : undefined;
  const options = { ...connecting(site), agent: agent ?? false, timeout: patience };
  const begin = secure ? httpsRequest : httpRequest;
  return {
    send: (path, body, over = 0) =>
      new Promise((resolve, reject) => {
        const headers = body ? { 'content-length': body.length } : {};
        const method = body ? 'POST' : 'GET';
        const sent = begin(new URL(path, site.base), { ...options, method, headers });
        sent.on('error', reject).on('timeout', () => sent.destroy(late()));
        sent.on('response', (response) => {
          response.on('error', reject).on('end', () => resolve(response.statusCode ?? 0));
          response.resume();
        });
        if (body === undefined || over === 0) sent.end(body);
        else Readable.from(inPieces(body, over)).pipe(sent);
      }),
    close: () => agent?.destroy(),
  };
}

/** Ten parts of a body, so long apart that the last one comes at its end. */
async function* inPieces(body: Buffer, over: number): AsyncGenerator<Buffer> {
  const size = Math.ceil(body.length / 10);
  for (let from = 0; from < body.length; from += size) {
    yield body.subarray(from, from + size);
    await sleep(over / 10);
  }
}

/** Many requests at a time over one connection, and a new one after the server's goodbye to it. */
export function overHttp2(site: Site): Door {
  let session: ClientHttp2Session | undefined;
  const opened = (): ClientHttp2Session => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    session = connect(site.base, connecting(site));
    // Each of its requests is told as well.
    session.on('error', () => {});
    return session;
  };
  return {
    send: (path, body) =>
      new Promise((resolve, reject) => {
        let status = 0;
        const sent = opened().request({ ':method': body ? 'POST' : 'GET', ':path': path });
        sent.on('error', reject).on('response', (headers) => {
          status = Number(headers[':status']);
        });
        sent.setTimeout(patience, () => sent.destroy(late()));
        sent.on('close', () => {
          if (sent.rstCode === constants.NGHTTP2_NO_ERROR) resolve(status);
          else reject(new Error(`reset with code ${sent.rstCode}`));
        });
        sent.resume();
        sent.end(body);
      }),
    close: () => session?.close(),
  };
}
