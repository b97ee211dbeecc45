import { connect } from 'node:net';

/** Sends one command to a line-based unix socket and resolves with all it answers. */
export function ask(socketPath: string, command: string, timeoutMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(socketPath, () => socket.end(`${command}\n`));
    socket.setEncoding('utf8').setTimeout(timeoutMs, () => {
      socket.destroy(new Error(`${socketPath} did not answer "${command}"`));
    });
    socket.on('data', (text) => {
      answer += text;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
