import { readFile } from 'node:fs/promises';

/** The text of a file, or '' when there is none. */
export async function contentOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}
