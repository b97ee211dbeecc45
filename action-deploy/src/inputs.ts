import { readFileSync } from 'node:fs';
import { renderCompose } from '../../lib/release/compose.ts';
import type { Destination } from '../../lib/release/connect.ts';
import type { Circumstances } from '../../lib/release/deploy.ts';
import { imagesSchema, sortImages, variablesSchema } from '../../lib/release/images.ts';
import {
  circumstancesInputs,
  defaultCaddyfile,
  defaultComposeFile,
  destinationInputs,
  environmentInput,
  fileInput,
} from '../../lib/release/inputs.ts';
import type { Wanted } from '../../lib/release/target.ts';
import { boolean, InputError, required, yaml } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

export interface Inputs {
  wanted: Wanted;
  destination: Destination;
  limits: ReturnType<typeof circumstancesInputs>;
  rollbackOnFailure: Circumstances['rollbackOnFailure'];
  dryRun: boolean;
}

/** Reads and checks everything before anything is touched. */
export function readInputs(runner: Runner): Inputs {
  const environment = environmentInput(runner);
  const version = required(runner, 'version', 'give the version that is released.');
  const given = yaml(runner, 'images', imagesSchema);
  if (given === undefined) {
    throw new InputError('images', 'is missing: give the `images` output of action-build.');
  }
  const { images, variables } = sortImages(given, yaml(runner, 'variables', variablesSchema) ?? {});
  const composeFile = fileInput(runner, 'compose-file', defaultComposeFile(environment));
  const caddyfile = readFileSync(fileInput(runner, 'caddyfile', defaultCaddyfile), 'utf8');
  return {
    wanted: {
      environment,
      version,
      images,
      variables,
      caddyfile,
      compose: renderCompose(composeFile, variables),
    },
    destination: destinationInputs(runner),
    limits: circumstancesInputs(runner),
    rollbackOnFailure: boolean(runner, 'rollback-on-failure', true),
    dryRun: boolean(runner, 'dry-run', false),
  };
}
