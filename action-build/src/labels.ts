import type { Inputs } from './inputs.ts';

/** https://github.com/opencontainers/image-spec/blob/main/annotations.md */
const label = (name: string) => `org.opencontainers.image.${name}`;

export const VERSION = label('version');

/** These differ with every commit and change nothing of what runs. */
const VOLATILE = [VERSION, label('revision'), label('created')];

export type Labels = Readonly<Record<string, string>>;

/** What tells an image's origin, the same for the same commit. */
export function labelsOf(
  image: string,
  { version, epoch }: Pick<Inputs, 'version' | 'epoch'>,
  env: NodeJS.ProcessEnv,
): Labels {
  const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY = '' } = env;
  return {
    [label('title')]: image,
    [VERSION]: version,
    [label('revision')]: env.GITHUB_SHA ?? '',
    [label('source')]: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`,
    [label('created')]: new Date(epoch * 1000).toISOString(),
  };
}

/** Without those that every commit changes, in an order of their own. */
export function lastingLabels(labels: Labels): Labels {
  const lasting = Object.entries(labels).filter(([name]) => !VOLATILE.includes(name));
  return Object.fromEntries(lasting.toSorted());
}
