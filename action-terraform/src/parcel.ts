import { unzipSync, zipSync } from 'fflate';

/** What is sealed: Terraform's plan file, and what Terraform's `show -json` said of it. */
export interface Parcel {
  file: Uint8Array;
  json: string;
}

const [FILE, JSON_TEXT] = ['plan.tfplan', 'plan.json'];

export function packed({ file, json }: Parcel): Uint8Array {
  return zipSync({ [FILE]: file, [JSON_TEXT]: Buffer.from(json) });
}

/** @throws Error when it is no parcel */
export function unpacked(bytes: Uint8Array): Parcel {
  const { [FILE]: file, [JSON_TEXT]: json } = unzipSync(bytes);
  if (!file || !json) throw new Error('The sealed plan holds no plan.');
  return { file, json: Buffer.from(json).toString('utf8') };
}
