/** Options of the command line. Most are inputs of the actions too, with the same name and meaning. */
export interface Option {
  /** What stands for its value in the help; a flag when left out. */
  value?: string;
  what: string;
  default?: string;
  /** Its value is a path, and what counts is the file's content. */
  file?: true;
}

export const OPTIONS = {
  'terraform-outputs': { value: 'FILE', what: 'what `terraform output -json` printed' },
  environment: { value: 'NAME', what: 'environment; known from --terraform-outputs' },
  hosts: { value: 'NAME=ADDRESS,…', what: 'servers, instead of --terraform-outputs' },
  'known-hosts': { value: 'FILE', what: 'their host keys, with --hosts', file: true },
  'jump-host': { value: 'ADDRESS', what: 'server through which --hosts are reached' },
  user: { value: 'NAME', what: 'user on the servers, with --hosts', default: 'deploy' },
  port: { value: 'PORT', what: 'SSH port, with --hosts', default: '2222' },
  'private-key': {
    value: 'FILE',
    what: 'SSH key of that user; or the key itself in COMPTA_SSH_KEY',
    file: true,
  },
  unreachable: { value: 'fail|skip', what: 'what a server that is down means', default: 'fail' },
  version: { value: 'VERSION', what: 'version that is released, or gone back to' },
  images: {
    value: 'FILE',
    what: "action-build's `images`, or service: repository@sha256:…",
    file: true,
  },
  variables: { value: 'FILE', what: 'YAML of values for the Compose file', file: true },
  secrets: { value: 'FILE', what: 'YAML of service → file → content, put in place', file: true },
  'compose-file': { value: 'FILE', what: "Compose template; the environment's when left out" },
  caddyfile: { value: 'FILE', what: 'Caddyfile of the servers', default: 'infra/docker/Caddyfile' },
  registry: { value: 'HOST', what: 'registry to log in to for the pull' },
  username: { value: 'NAME', what: 'login there' },
  'password-file': {
    value: 'FILE',
    what: 'its password; or the password itself in COMPTA_REGISTRY_PASSWORD',
    file: true,
  },
  from: { value: 'RELEASE', what: 'what is taken back, and nothing that was released since' },
  services: { value: 'NAME,…', what: 'services that go back; all when left out' },
  reason: { value: 'TEXT', what: 'why, for history and audit log' },
  confirm: { value: 'NAME', what: "the environment's name once more" },
  message: {
    value: 'TEXT',
    what: 'what users read',
    default: 'COMPTA est en maintenance. Merci de réessayer dans quelques minutes.',
  },
  'base-url': { value: 'URL', what: 'public address, asked for the version at the end' },
  batch: { value: 'N', what: 'servers at a time', default: '1' },
  'health-timeout': { value: 'TIME', what: 'for a service to become healthy', default: '3m' },
  'drain-timeout': { value: 'TIME', what: 'for requests under way', default: '30s' },
  'edge-drain': { value: 'TIME', what: 'for the load balancer to notice', default: '15s' },
  'lock-timeout': { value: 'TIME', what: 'to wait for another run', default: '15m' },
  keep: { value: 'N', what: 'releases that stay on the servers', default: '3' },
  'dry-run': { what: 'say what would be done, and do nothing' },
  json: { what: 'for a program: JSON on standard output, progress on standard error' },
  help: { what: 'this text' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

export const SERVERS = [
  'terraform-outputs',
  'private-key',
  'environment',
  'hosts',
  'known-hosts',
  'jump-host',
  'user',
  'port',
] as const satisfies OptionName[];
export const CONNECTION = [...SERVERS, 'unreachable'] as const satisfies OptionName[];
export const RELEASE = [
  'version',
  'images',
  'variables',
  'secrets',
  'compose-file',
  'caddyfile',
] as const satisfies OptionName[];
export const LIMITS = [
  'base-url',
  'batch',
  'registry',
  'username',
  'password-file',
  'health-timeout',
  'drain-timeout',
  'edge-drain',
  'lock-timeout',
  'keep',
] as const satisfies OptionName[];
