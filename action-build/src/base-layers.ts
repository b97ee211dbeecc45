import { z } from 'zod';

/**
 * Trivy takes the layers before a CMD for those of a base image, when others follow it, and looks
 * for no secrets in them (`GuessBaseImageIndex` in its pkg/fanal/image). They are pushed as well.
 *
 * What it has looked at once it keeps by the layer alone. So the same layers are shown to it
 * beforehand, in an image whose history has no CMD, and the scan itself finds them looked at.
 */

const steps = z.array(
  z.looseObject({ created_by: z.string().optional(), empty_layer: z.boolean().optional() }),
);
const config = z.looseObject({ history: steps.nullish() });
type Step = z.infer<typeof steps>[number];

/** An image's configuration without a CMD; undefined when Trivy takes no layer for a base's. */
export function wholeOf(configuration: string): string | undefined {
  const { history, ...rest } = config.parse(JSON.parse(configuration));
  if (!history || !hasBase(history)) return undefined;
  return JSON.stringify({ ...rest, history: history.filter((step) => !isCommand(step)) });
}

function hasBase(history: readonly Step[]): boolean {
  const lastLayer = history.findLastIndex((step) => !step.empty_layer);
  return history.slice(0, Math.max(lastLayer, 0)).some(isCommand);
}

/** Of BuildKit, or of the builder before it. */
function isCommand({ created_by: by = '', empty_layer: isEmpty = false }: Step): boolean {
  return isEmpty && /^(\/bin\/sh -c #\(nop\) {2})?CMD/.test(by);
}
