import { get } from 'node:https';
import { isIPv4 } from 'node:net';

/** Hetzner's own: nobody learns of the runner whom it does not connect to anyway. */
export const WHAT_IS_MY_ADDRESS = 'https://ip.hetzner.com';

/**
 * The public IPv4 address of this machine, as `url` sees it. IPv6 is left out because the bastion
 * has none. A wrong answer opens a port to the wrong machine, for which it still has no key.
 * @throws Error when it does not answer an address alone
 */
export async function addressSeenBy(url: string): Promise<string> {
  const text = await textOf(url);
  if (isIPv4(text)) return text;
  throw new Error(`${url} answered no IPv4 address: '${text.slice(0, 80)}'.`);
}

function textOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { family: 4, signal: AbortSignal.timeout(15_000) }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume();
        reject(new Error(`${url} answered ${answer.statusCode}.`));
        return;
      }
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(text.trim()));
      answer.on('error', reject);
    });
    request.on('error', reject);
  });
}
