import { createHash } from 'node:crypto';
import { z } from 'zod';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import type { SshKey } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, remove, requireUniqueName } from './world.ts';

const createSchema = z.object({
  name: z.string().min(1).max(64),
  public_key: z.string(),
  labels: labelsSchema.default({}),
});

export function sshKeyRoutes(cloud: Cloud): Route[] {
  return [
    ...collectionRoutes(cloud, {
      kind: 'ssh_key',
      present,
      filters: { fingerprint: ({ fingerprint }) => fingerprint },
    }),
    {
      method: 'POST',
      path: '/ssh_keys',
      handle({ body }) {
        const wanted = parseBody(createSchema, body);
        const publicKey = wanted.public_key.trim();
        const key: SshKey = {
          id: newId(cloud.world),
          name: wanted.name,
          labels: wanted.labels,
          created: new Date().toISOString(),
          publicKey,
          fingerprint: fingerprintOf(publicKey),
        };
        requireUniqueName(cloud.world, 'ssh_key', key.name);
        if (cloud.world.records.ssh_key.some((other) => other.fingerprint === key.fingerprint)) {
          throw new ApiError('uniqueness_error', 'SSH key not unique', {
            fields: [{ name: 'public_key' }],
          });
        }
        cloud.world.records.ssh_key.push(key);
        return created({ ssh_key: present(key) });
      },
    },
    {
      method: 'DELETE',
      path: '/ssh_keys/:id',
      handle(request) {
        remove(cloud.world, 'ssh_key', find(cloud.world, 'ssh_key', idOf(request)).id);
        return noContent();
      },
    },
  ];
}

function present({ id, name, labels, created, publicKey, fingerprint }: SshKey) {
  return { id, name, labels, created, public_key: publicKey, fingerprint };
}

/** MD5 of the key's blob, in pairs of hex digits. @throws ApiError when it is no public key */
function fingerprintOf(publicKey: string): string {
  const [type = '', base64 = ''] = publicKey.split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  if (type === '' || blob.subarray(4, 4 + length).toString('latin1') !== type) {
    throw invalidInput('public_key', 'not an OpenSSH public key');
  }
  const digest = createHash('md5').update(blob).digest('hex');
  return (digest.match(/../g) ?? []).join(':');
}
