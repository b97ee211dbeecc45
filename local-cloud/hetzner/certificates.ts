import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { requireAbility } from './abilities.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import type { Certificate } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, remove, requireUniqueName, type World } from './world.ts';

const createSchema = z.object({
  name: z.string().min(1).max(64),
  type: z.enum(['uploaded', 'managed']).default('uploaded'),
  certificate: z.string().default(''),
  private_key: z.string().default(''),
  labels: labelsSchema.default({}),
});

/** TLS certificates for load balancers: uploaded ones, as nobody here proves a domain. */
export function certificateRoutes(cloud: Cloud): Route[] {
  const { world } = cloud;
  const present = (certificate: Certificate) => presentCertificate(world, certificate);
  return [
    ...collectionRoutes(cloud, {
      kind: 'certificate',
      present,
      filters: { type: () => 'uploaded' },
    }),
    {
      method: 'POST',
      path: '/certificates',
      handle({ body }) {
        requireAbility(cloud.abilities.richBalancing, 'a certificate');
        const wanted = parseBody(createSchema, body);
        if (wanted.type === 'managed') throw notAvailable('a managed certificate');
        requireUniqueName(world, 'certificate', wanted.name);
        requirePair(wanted.certificate, wanted.private_key);
        // The key is not kept: nothing here would use it.
        const certificate: Certificate = {
          id: newId(world),
          name: wanted.name,
          labels: wanted.labels,
          created: new Date().toISOString(),
          certificate: wanted.certificate,
        };
        world.records.certificate.push(certificate);
        return created({ certificate: present(certificate), action: null });
      },
    },
    {
      method: 'DELETE',
      path: '/certificates/:id',
      handle(request) {
        const { id } = find(world, 'certificate', idOf(request));
        if (users(world, id).length > 0) {
          throw new ApiError('resource_in_use', 'certificate is used by a load balancer');
        }
        remove(world, 'certificate', id);
        return noContent();
      },
    },
  ];
}

/** @throws ApiError `invalid_input` when either is no PEM, or the key is another certificate's */
function requirePair(certificate: string, privateKey: string): void {
  const parsed = read(certificate);
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(privateKey);
  } catch {
    throw invalidInput('private_key', 'not a private key in PEM');
  }
  if (!parsed.checkPrivateKey(key)) {
    throw invalidInput('private_key', 'does not belong to the certificate');
  }
}

function read(certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate);
  } catch {
    throw invalidInput('certificate', 'not a certificate in PEM');
  }
}

function users(world: World, id: number): number[] {
  return world.records.load_balancer
    .filter(({ services }) => services.some(({ http }) => http?.certificates.includes(id)))
    .map((balancer) => balancer.id);
}

function presentCertificate(world: World, { id, name, labels, created, certificate }: Certificate) {
  const parsed = read(certificate);
  const alternative = parsed.subjectAltName?.split(', ') ?? [];
  return {
    id,
    name,
    labels,
    created,
    type: 'uploaded',
    certificate,
    fingerprint: parsed.fingerprint256.toLowerCase(),
    not_valid_before: new Date(parsed.validFrom).toISOString(),
    not_valid_after: new Date(parsed.validTo).toISOString(),
    domain_names: alternative
      .filter((entry) => entry.startsWith('DNS:'))
      .map((entry) => entry.slice('DNS:'.length)),
    status: null,
    used_by: users(world, id).map((balancer) => ({ id: balancer, type: 'load_balancer' })),
  };
}
