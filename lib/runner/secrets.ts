import { encodingsOf } from './encodings.ts';

/**
 * Values that must never be readable in anything we write: logs, summaries, annotations,
 * outputs, files. The runner masks its own log only, and only the exact text it was told,
 * so every line of a secret is known here in its usual encodings too.
 */
export class Redactor {
  readonly #forms = new Set<string>();
  #pattern: RegExp | undefined;

  /** Learns a secret. Parts shorter than 6 characters are left out: they would hide ordinary text. */
  add(secret: string): string[] {
    const learned = formsOf(secret).filter((form) => !this.#forms.has(form));
    for (const form of learned) this.#forms.add(form);
    if (learned.length > 0) this.#pattern = undefined;
    return learned;
  }

  redact(text: string): string {
    if (this.#forms.size === 0) return text;
    this.#pattern ??= new RegExp(
      longestFirst([...this.#forms])
        .map(escapeRegExp)
        .join('|'),
      'g',
    );
    return text.replace(this.#pattern, '***');
  }
}

const SHORTEST = 6;

/** The whole secret and each of its lines, raw and in the encodings of {@link encodingsOf}. */
export function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  const parts = [secret, ...lines].filter(
    (part) => part.length >= SHORTEST && !isPemBoundary(part),
  );
  return [...new Set(parts.flatMap(encodingsOf))];
}

/** `-----BEGIN … KEY-----` is no secret, and masking it would hide every error about keys. */
function isPemBoundary(line: string): boolean {
  return /^-----(BEGIN|END) [A-Z ]+-----$/.test(line);
}

function longestFirst(forms: string[]): string[] {
  return forms.sort((a, b) => b.length - a.length);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
