import { join } from 'node:path';
import { contentOf } from './content.ts';
import type { Session } from './session.ts';

/** Where the state is kept, as `init` resolved it. */
export interface Backend {
  type: string;
  config: Record<string, unknown>;
}

/** @returns undefined for a root module without a `backend` block */
export async function backendOf(session: Session): Promise<Backend | undefined> {
  const text = await contentOf(join(session.dataDirectory, 'terraform.tfstate'));
  return text === '' ? undefined : (JSON.parse(text) as { backend?: Backend }).backend;
}
