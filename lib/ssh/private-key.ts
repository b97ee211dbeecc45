import ssh2 from 'ssh2';

/**
 * A private key as OpenSSH and ssh2 want it. Secrets pasted into a web form lose their final
 * newline, gain CRLF, or come with `\n` spelt out; all of these are put right.
 * @throws Error (without any of the text) when it is not an unencrypted private key.
 */
export function normalisePrivateKey(text: string): string {
  const spelt = text.includes('\n') ? text : text.replaceAll('\\n', '\n');
  const key = `${spelt.replaceAll('\r\n', '\n').replaceAll('\r', '\n').trim()}\n`;
  if (!key.startsWith('-----BEGIN ')) {
    const publicHalf = /^(ssh-|ecdsa-)/.test(key) ? ' It looks like the public half.' : '';
    throw new Error(
      `private-key is not a private key: it does not start with "-----BEGIN".${publicHalf} ` +
        'Give the whole content of the key file, e.g. of id_ed25519.',
    );
  }
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) {
    throw new Error(
      `private-key cannot be read: ${parsed.message}. ` +
        'Give an unencrypted key in OpenSSH or PEM format, whole, with its first and last line.',
    );
  }
  if (!parsed.isPrivateKey()) {
    throw new Error('private-key holds a public key. Give the private half.');
  }
  return key;
}
