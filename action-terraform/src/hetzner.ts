/** Read-only access to Hetzner's API, as far as planning needs more than the provider tells. */
export interface HetznerApi {
  get(path: string): Promise<unknown>;
  byName(collection: string, name: string): Promise<HetznerObject | undefined>;
  byId(collection: string, id: string): Promise<HetznerObject | undefined>;
}

export interface HetznerObject {
  id: number;
  labels?: Record<string, string>;
  [field: string]: unknown;
}

const HETZNER = 'https://api.hetzner.cloud/v1';

/** With the endpoint that the provider itself uses. */
export function hetznerApi(token: string, env: NodeJS.ProcessEnv): HetznerApi {
  const base = (env.HCLOUD_ENDPOINT || HETZNER).replace(/\/+$/, '');

  async function get(path: string): Promise<unknown> {
    const answer = await fetch(`${base}${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(15_000),
    });
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`${base}${path} answered ${answer.status}`);
    return answer.json();
  }

  return {
    get,
    async byName(collection, name) {
      const body = await get(`/${collection}?name=${encodeURIComponent(name)}`);
      return (body as Record<string, HetznerObject[]> | undefined)?.[collection]?.[0];
    },
    async byId(collection, id) {
      const body = await get(`/${collection}/${encodeURIComponent(id)}`);
      return (body as Record<string, HetznerObject> | undefined)?.[collection.replace(/s$/, '')];
    },
  };
}

/** A thing is ours when Terraform made it for that environment, which its labels tell. */
export function isOurs({ labels }: HetznerObject, environment: string): boolean {
  return labels?.['managed-by'] === 'terraform' && labels.environment === environment;
}
