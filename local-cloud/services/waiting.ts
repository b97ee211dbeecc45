import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves once something accepts connections at host:port. @throws Error after half a minute. */
export async function awaitAnswer(address: string): Promise<void> {
  const [host = '', port = ''] = address.split(':');
  for (let tries = 0; tries < 300; tries += 1) {
    if (await accepts(host, Number(port))) return;
    await sleep(100);
  }
  throw new Error(`Nothing answers at ${address} after 30 s.`);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
