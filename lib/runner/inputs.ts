import { parse, parseDocument, visit } from 'yaml';
import { type ZodType, z } from 'zod';
import type { Runner } from './runner.ts';

/** A wrong input: says which one, what was wrong with it and what to give instead. */
export class InputError extends Error {
  override readonly name = 'InputError';
  constructor(input: string, problem: string, cause?: unknown) {
    super(`Input '${input}' ${problem}`, cause === undefined ? {} : { cause });
  }
}

export function required(runner: Runner, name: string, hint: string): string {
  const value = runner.input(name);
  if (value === '') throw new InputError(name, `is missing: ${hint}`);
  return value;
}

/** `undefined` when the input is empty, as GitHub cannot tell "not given" from "empty". */
export function optional(runner: Runner, name: string): string | undefined {
  return runner.input(name) || undefined;
}

/** A required secret, masked before anybody can look at it. */
export function secret(runner: Runner, name: string, hint: string): string {
  const value = required(runner, name, hint);
  runner.mask(value);
  return value;
}

export function optionalSecret(runner: Runner, name: string): string | undefined {
  const value = optional(runner, name);
  if (value !== undefined) runner.mask(value);
  return value;
}

export function boolean(runner: Runner, name: string, fallback: boolean): boolean {
  const value = runner.input(name);
  if (value === '') return fallback;
  if (/^true$/i.test(value)) return true;
  if (/^false$/i.test(value)) return false;
  throw new InputError(name, `is '${value}': give true or false.`);
}

export function integer(
  runner: Runner,
  name: string,
  fallback: number,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
): number {
  const value = runner.input(name);
  if (value === '') return fallback;
  const number = Number(value);
  // `Number` takes 1e3, 0x10 and 2.0 as well.
  if (!/^-?\d+$/.test(value) || number < min || number > max) {
    throw new InputError(name, `is '${value}': give a whole number from ${min} to ${max}.`);
  }
  return number;
}

export function oneOf<T extends string>(
  runner: Runner,
  name: string,
  choices: readonly T[],
  fallback?: T,
): T {
  const value = runner.input(name) || fallback;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new InputError(name, `is '${value ?? ''}': give one of ${choices.join(', ')}.`);
  }
  return choice;
}

/** What a timer of Node.js can hold, 24 days: a longer one would be over at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * "90s", "5m", "1h" or plain seconds, as whole milliseconds.
 * @param least milliseconds: 1 where 0 would mean "never" or "at once".
 */
export function duration(runner: Runner, name: string, fallback: string, least: 0 | 1 = 0): number {
  const value = runner.input(name) || fallback;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
  if (!match) throw new InputError(name, `is '${value}': give a duration such as 90s, 5m or 1h.`);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? 's'] ?? 1000;
  const milliseconds = Math.round(Number(match[1]) * unit);
  if (milliseconds < least) throw new InputError(name, `is '${value}': give more than 0.`);
  if (milliseconds > LONGEST) throw new InputError(name, `is '${value}': give at most 596h.`);
  return milliseconds;
}

/** An address for HTTP; `undefined` when it was not given. */
export function webAddress(runner: Runner, name: string, example: string): string | undefined {
  const value = optional(runner, name);
  if (value === undefined || (/^https?:\/\//.test(value) && URL.canParse(value))) return value;
  throw new InputError(name, `is '${value}': give a URL such as ${example}.`);
}

/** One entry per line; blank lines and surrounding space do not count. */
export function lines(runner: Runner, name: string): string[] {
  return runner
    .input(name)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * A YAML (or JSON) input, held to a schema; `undefined` when it was not given.
 * @param read what is made of the text; {@link asWritten} where values are texts.
 */
export function yaml<T>(
  runner: Runner,
  name: string,
  schema: ZodType<T>,
  read: (text: string) => unknown = parse,
): T | undefined {
  const text = runner.input(name);
  if (text === '') return undefined;
  const value = parsed(name, text, read);
  const result = schema.safeParse(value);
  if (!result.success)
    throw new InputError(name, `is not valid:\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** As {@link yaml}; what a parser cannot read it quotes, so that of a secret it says nothing. */
export function secretYaml<T>(
  runner: Runner,
  name: string,
  schema: ZodType<T>,
  read?: (text: string) => unknown,
): T | undefined {
  try {
    return yaml(runner, name, schema, read);
  } catch (error) {
    if (!(error instanceof InputError) || error.cause === undefined) throw error;
    throw new InputError(name, 'is not YAML; where is not shown, as it is a secret.');
  }
}

/** Reads YAML in which numbers and booleans are the text that stands there: 0042 is not 42, nor 1.10 1.1. */
export function asWritten(text: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'number' || typeof node.value === 'boolean')
        node.value = node.source;
    },
  });
  return document.toJS();
}

function parsed(name: string, text: string, read: (text: string) => unknown): unknown {
  try {
    return read(text);
  } catch (cause) {
    throw new InputError(name, 'is not YAML.', cause);
  }
}
