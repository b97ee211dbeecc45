/** Where things lie on an application server. */
export const root = '/opt/compta';
export const lockFile = `${root}/.lock`;
export const leaseFile = `${root}/lease.json`;
export const journalFile = `${root}/journal.json`;
/** Space that is held for the way back while a release is under way. */
export const ballastFile = `${root}/ballast`;
export const historyFile = `${root}/history.jsonl`;
export const auditFile = `${root}/audit.log`;
/** What the migrations left for rollbacks to know; see schema.ts. */
export const schemaFile = `${root}/schema.json`;
export const currentLink = `${root}/current`;
export const secretsFolder = (service: string): string => `${root}/secrets/${service}`;
export const releaseFolder = (release: string): string => `${root}/releases/${release}`;

export const caddy = {
  configuration: `${root}/caddy/etc`,
  outOfRotation: `${root}/caddy/state/out-of-rotation`,
  maintenance: `${root}/caddy/state/maintenance.html`,
  adminSocket: `${root}/caddy/admin/admin.sock`,
  /** Assets of the page, a folder for each image of a kept release; Caddy serves them all. */
  assets: `${root}/caddy/assets`,
} as const;

/** Services and Caddy run as this user and group. */
export const serviceUser = '10001';
export const project = 'compta';
export const backendNetwork = `${project}_backend`;

export const ports = { service: 8080, management: 8081, publicSite: 8000 } as const;
/** Milliseconds between two of Caddy's health checks; as in the Caddyfile. */
export const healthInterval = 500;
