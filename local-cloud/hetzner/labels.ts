import { z } from 'zod';
import { invalidInput } from './errors.ts';

export type Labels = Record<string, string>;
export type Selector = (labels: Labels) => boolean;

const NAME = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';
const KEY = `([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?${NAME}`;
const VALUE = `(${NAME})?`;
const KEY_ONLY = new RegExp(`^${KEY}$`);
const VALUE_ONLY = new RegExp(`^${VALUE}$`);

/** Labels of a request body: keys with an optional DNS prefix, values up to 63 characters. */
export const labelsSchema = z.record(
  z.string().regex(KEY_ONLY, 'not a label key'),
  z.string().regex(VALUE_ONLY, 'not a label value'),
);

const EXISTS = new RegExp(`^(!?)(${KEY})$`);
const EQUALS = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`);
const AMONG = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);

/**
 * The selector grammar: `key`, `!key`, `key=v`, `key==v`, `key!=v`, `key in (a,b)`,
 * `key notin (a,b)`, joined by commas (all must hold). As in Kubernetes, `!=` and `notin`
 * also match resources without the key.
 * @throws ApiError `invalid_input` naming `label_selector`
 */
export function parseSelector(text: string): Selector {
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  return (labels) => requirements.every((holds) => holds(labels));
}

function parseRequirement(text: string): Selector {
  const exists = EXISTS.exec(text);
  if (exists) {
    const [, negation, key = ''] = exists;
    return (labels) => Object.hasOwn(labels, key) === (negation === '');
  }
  const among = AMONG.exec(text);
  if (among) return membership(among[1] ?? '', among[5] === 'in', (among[6] ?? '').split(','));
  const equals = EQUALS.exec(text);
  if (equals) return membership(equals[1] ?? '', equals[5] !== '!=', [equals[6] ?? '']);
  throw invalidInput('label_selector', `'${text}' is not a label requirement`);
}

function membership(key: string, wanted: boolean, values: string[]): Selector {
  const allowed = values.map((value) => value.trim());
  const wrong = allowed.find((value) => !VALUE_ONLY.test(value));
  if (wrong !== undefined) throw invalidInput('label_selector', `'${wrong}' is not a label value`);
  return (labels) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return (value !== undefined && allowed.includes(value)) === wanted;
  };
}

function splitOutsideParentheses(text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((part) => part.trim());
}
