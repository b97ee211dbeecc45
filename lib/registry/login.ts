/** A login at a registry, for the time of a pull or a push. */
export interface Login {
  registry: string;
  username: string;
  password: string;
}

/** The configuration that `docker login` would write; skopeo takes it as its `--authfile`. */
export function dockerConfig(login: Login): string {
  return JSON.stringify({ auths: authsOf(login) });
}

/** Its entries by name: Docker looks for its own registry's login under the name of old. */
export function authsOf({ registry, username, password }: Login): Record<string, { auth: string }> {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const names = registry === 'docker.io' ? [registry, 'https://index.docker.io/v1/'] : [registry];
  return Object.fromEntries(names.map((name) => [name, { auth }]));
}
