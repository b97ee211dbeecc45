import { InputError, secret } from '../runner/inputs.ts';
import type { Runner } from '../runner/runner.ts';
import { normalisePrivateKey } from './private-key.ts';

/** The input `private-key`, masked and put right. @throws InputError when it is no usable key. */
export function privateKeyInput(runner: Runner): string {
  const text = secret(runner, 'private-key', 'give the SSH key of the deploy user.');
  try {
    return normalisePrivateKey(text);
  } catch (cause) {
    throw new InputError('private-key', 'is not usable.', cause);
  }
}
