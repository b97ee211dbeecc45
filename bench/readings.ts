/**
 * The forms in which a secret may come to light: raw, each line of it, as base64 at each of the
 * three offsets that it may have in a longer text, in a URL, in JSON.
 */
export function readings(secret: string): string[] {
  const lines = secret.split('\n').filter((line) => line.length >= 8 && !line.startsWith('-----'));
  return [
    ...lines.flatMap((line) => [line, ...base64(line), encodeURIComponent(line)]),
    JSON.stringify(secret).slice(1, -1),
  ].filter((reading) => reading.length >= 8);
}

function base64(text: string): string[] {
  return [0, 1, 2].map((offset) =>
    Buffer.from('x'.repeat(offset) + text)
      .toString('base64')
      // The first and last characters depend on what stands before and after.
      .slice(offset === 0 ? 0 : 4)
      .replace(/=*$/, '')
      .slice(0, -1),
  );
}
