import { optionalSecret } from '../runner/inputs.ts';
import type { Runner } from '../runner/runner.ts';

/** Input `hcloud-token`, else HCLOUD_TOKEN; masked either way. */
export function hcloudToken(runner: Runner): string | undefined {
  const token = optionalSecret(runner, 'hcloud-token') ?? runner.env.HCLOUD_TOKEN;
  if (token) runner.mask(token);
  return token || undefined;
}
