/**
 * A text as tools print it: raw, base64, URL, JSON, shell, YAML and Python, and these within JSON.
 * Each form is what stands between the quotes, so that it is found however they are set.
 */
export function encodingsOf(text: string): string[] {
  const json = jsonForms(text);
  const quoted = [
    text,
    ...json,
    // sh: 'it'\''s', as shlex.quote has it 'it'"'"'s', and within double quotes.
    text.replaceAll("'", "'\\''"),
    text.replaceAll("'", `'"'"'`),
    text.replaceAll(/["$`\\]/g, '\\$&'),
    text.replaceAll("'", "''"), // YAML
    ...[text, ...json].map(repr),
  ];
  return [...quoted, ...quoted.flatMap(jsonForms), ...base64(text), ...percent(text)];
}

/** As JavaScript and, beyond ASCII by number, as Python's json.dumps write it. */
function jsonForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  return [json, ascii(json)];
}

/** Within Python's single quotes, which it takes when there are double ones as well. */
function repr(text: string): string {
  return text.replaceAll(/[\\']/g, '\\$&').replaceAll('\n', '\\n');
}

/** Shorter than this, what is left of a secret within something longer is everyday text. */
const SHORTEST_PART = 8;

function base64(text: string): string[] {
  const bytes = Buffer.from(text);
  const whole = bytes.toString('base64').replace(/=+$/, '');
  return [
    whole,
    bytes.toString('base64url'),
    ...[0, 1, 2].map((before) => withinBase64(bytes, before)),
    // base64 and openssl break their lines.
    ...[64, 76].flatMap(
      (width) => whole.match(new RegExp(`.{${SHORTEST_PART},${width}}`, 'g')) ?? [],
    ),
  ].filter((form) => form === whole || form.length >= SHORTEST_PART);
}

/** The digits that belong to `bytes` alone when something stands before it, as in `user:password`. */
function withinBase64(bytes: Buffer, before: number): string {
  const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  const own = Math.floor(((before + bytes.length) * 8) / 6);
  return digits.slice(Math.ceil((before * 8) / 6), own);
}

function percent(text: string): string[] {
  const url = encodeURIComponent(text);
  // Python escapes these as well, Jinja leaves slashes, and a form writes spaces as plus.
  const python = url.replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return [url, python].flatMap((form) => [
    form,
    form.replaceAll('%2F', '/'),
    form.replaceAll('%20', '+'),
  ]);
}

function ascii(json: string): string {
  return json.replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
