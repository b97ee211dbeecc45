import { z } from 'zod';

const serverSchema = z.object({
  role: z.enum(['application', 'database', 'bastion', 'monitoring']),
  private_ip: z.ipv4(),
  public_ip: z.ipv4().nullable(),
  host_key: z.string().regex(/^(ssh-|ecdsa-)\S+ [A-Za-z0-9+/]+=*( .*)?$/, 'not a public host key'),
  volume_device: z.string().nullable(),
});

const outputsSchema = z
  .object({
    environment: z.string().min(1),
    servers: z.record(z.string().min(1), serverSchema),
    bastion: z.string().min(1),
    load_balancer: z.object({ public_ip: z.ipv4(), private_ip: z.ipv4() }),
    network_cidr: z.cidrv4(),
    ssh: z.object({ user: z.string().min(1), port: z.int().min(1).max(65535) }),
  })
  .superRefine((outputs, context) => {
    const bastion = outputs.servers[outputs.bastion];
    if (bastion === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['bastion'],
        message: `names "${outputs.bastion}", which is not one of the servers`,
      });
    } else if (bastion.public_ip === null) {
      context.addIssue({
        code: 'custom',
        path: ['servers', outputs.bastion, 'public_ip'],
        message: 'the bastion needs a public address: it is the one server with SSH from outside',
      });
    }
  });

export type Role = z.infer<typeof serverSchema>['role'];

/** One server as Terraform made it. */
export interface Server {
  name: string;
  role: Role;
  privateIp: string;
  publicIp: string | null;
  /** Public host key, `ssh-ed25519 AAAA…`, without a comment. */
  hostKey: string;
  /** Block device of the data volume, e.g. `/dev/disk/by-id/scsi-0HC_Volume_42`. */
  volumeDevice: string | null;
}

/** The servers of one environment, and how to reach them over SSH. */
export interface Inventory {
  environment: string;
  /** Sorted by name. */
  servers: Server[];
  /** The one server with SSH from outside; always has a public address. */
  bastion: Server & { publicIp: string };
  loadBalancer: { publicIp: string; privateIp: string };
  networkCidr: string;
  ssh: { user: string; port: number };
}

/**
 * Reads what `terraform output -json` prints: every output wrapped as `{value}`, or bare values.
 * @throws Error that lists each output that is missing or malformed.
 */
export function parseTerraformOutputs(json: unknown): Inventory {
  const parsed = outputsSchema.safeParse(unwrap(json));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `  ${issue.path.join('.') || '(document)'}: ${issue.message}`,
    );
    throw new Error(
      `The Terraform outputs do not describe an environment:\n${problems.join('\n')}\n` +
        'Pass the file that `terraform output -json` writes after an apply.',
      { cause: parsed.error },
    );
  }
  const outputs = parsed.data;
  const servers = Object.entries(outputs.servers)
    .map(
      ([name, server]): Server => ({
        name,
        role: server.role,
        privateIp: server.private_ip,
        publicIp: server.public_ip,
        hostKey: server.host_key.split(' ').slice(0, 2).join(' '),
        volumeDevice: server.volume_device,
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    environment: outputs.environment,
    servers,
    bastion: servers.find((server) => server.name === outputs.bastion) as Inventory['bastion'],
    loadBalancer: {
      publicIp: outputs.load_balancer.public_ip,
      privateIp: outputs.load_balancer.private_ip,
    },
    networkCidr: outputs.network_cidr,
    ssh: outputs.ssh,
  };
}

function unwrap(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, output]) => {
      const wrapped = typeof output === 'object' && output !== null && 'value' in output;
      return [name, wrapped ? output.value : output];
    }),
  );
}

/** Servers of a role, sorted by name. */
export function serversOf(inventory: Inventory, role: Role): Server[] {
  return inventory.servers.filter((server) => server.role === role);
}
