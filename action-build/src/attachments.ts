import type { Descriptor } from './layout.ts';

/**
 * What is known of an image and lies beside it in the registry: an OCI artifact whose `subject`
 * is the image, found by the tag `sha256-<digest>.<suffix>` where a registry lists no referrers.
 * Inside the image's own index it would be a platform `unknown/unknown`.
 */
export interface Attachment {
  suffix: 'provenance' | 'sbom';
  mediaType: string;
  content: Uint8Array;
  subject: Descriptor;
}

export function sbom(subject: Descriptor, spdx: Uint8Array): Attachment {
  return { suffix: 'sbom', mediaType: 'application/spdx+json', content: spdx, subject };
}

/**
 * An in-toto statement of where the image was built from: https://slsa.dev/spec/v1.1/provenance
 *
 * It is not signed, so it informs and proves nothing by itself.
 */
export function provenance(image: string, subject: Descriptor, env: NodeJS.ProcessEnv): Attachment {
  const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_REPOSITORY: repository = '' } =
    env;
  const { GITHUB_REF: ref = '', GITHUB_SHA: commit = '', GITHUB_RUN_ID: run = '' } = env;
  const source = `${server}/${repository}`;
  const [algorithm = '', hex = ''] = subject.digest.split(':');
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: image, digest: { [algorithm]: hex } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://actions.github.io/buildtypes/workflow/v1',
        externalParameters: {
          workflow: { ref, repository: source, path: env.GITHUB_WORKFLOW_REF },
        },
        resolvedDependencies: [{ uri: `git+${source}@${ref}`, digest: { gitCommit: commit } }],
      },
      runDetails: {
        builder: { id: `${source}/actions` },
        metadata: { invocationId: `${source}/actions/runs/${run}` },
      },
    },
  };
  return {
    suffix: 'provenance',
    mediaType: 'application/vnd.in-toto+json',
    content: Buffer.from(JSON.stringify(statement)),
    subject,
  };
}
