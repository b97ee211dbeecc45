/** Nobody answered, or the connection broke: nothing is known about what the host is doing. */
export class HostUnreachableError extends Error {
  override readonly name = 'HostUnreachableError';
  readonly host: string;
  constructor(host: string, why: string, options?: ErrorOptions) {
    super(
      `Cannot reach ${host} over SSH: ${why}. ` +
        'Check that the server runs, that the address and port are right, and that the firewall ' +
        'lets this machine in (only the bastion answers from outside; the others need `jump-host`).',
      options,
    );
    this.host = host;
  }
}

/** The host showed a key that is not in known_hosts; nothing was sent to it. */
export class HostKeyError extends Error {
  override readonly name = 'HostKeyError';
  readonly host: string;
  constructor(host: string, shown: string, known: readonly string[], options?: ErrorOptions) {
    const expected =
      known.length === 0
        ? 'known_hosts has no line for it'
        : `known_hosts expects ${known.join(' or ')}`;
    super(
      `The host key of ${host} is not trusted: it showed ${shown}, ${expected}. ` +
        'Nothing was sent. If the server was re-created, take its new key from the Terraform ' +
        'outputs or from its console; if it was not, someone may be between you and it.',
      options,
    );
    this.host = host;
  }
}

/** The host is the right one, and does not accept this user with this key. */
export class AuthenticationRefusedError extends Error {
  override readonly name = 'AuthenticationRefusedError';
  readonly host: string;
  constructor(host: string, user: string, options?: ErrorOptions) {
    super(
      `${host} refused user "${user}" with the given key. Check \`user\` and \`private-key\`: ` +
        "the key's public half must be in that user's authorized_keys on the server.",
      options,
    );
    this.host = host;
  }
}

/** A remote command that ended with something else than 0. */
export class RemoteCommandError extends Error {
  override readonly name = 'RemoteCommandError';
  readonly host: string;
  readonly code: number | null;
  readonly stderr: string;
  constructor(host: string, command: string, code: number | null, stderr: string) {
    const last = stderr.trim().split('\n').slice(-3).join(' / ').slice(-600);
    super(
      `On ${host}, \`${command}\` ended with ${code === null ? 'a signal' : `code ${code}`}` +
        `${last === '' ? '.' : `: ${last}`}`,
    );
    this.host = host;
    this.code = code;
    this.stderr = stderr;
  }
}

/** A remote command that did not end in its time; it may still be running there. */
export class RemoteTimeoutError extends Error {
  override readonly name = 'RemoteTimeoutError';
  readonly host: string;
  constructor(host: string, command: string, timeoutMs: number) {
    super(`On ${host}, \`${command}\` gave no end within ${timeoutMs / 1000} s.`);
    this.host = host;
  }
}
