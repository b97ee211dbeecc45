import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ArtifactNotFoundError, DefaultArtifactClient } from '@actions/artifact';

/** What travels from one job of a run to another; never found by another run. */
export interface Artifacts {
  /** Replaces an artifact of that name, so that a job can be run again. */
  upload(name: string, file: string): Promise<void>;
  /**
   * Unpacks the artifact of this run into `directory`.
   * @returns false when this run has none of that name
   */
  download(name: string, directory: string): Promise<boolean>;
}

/** How long a plan may wait for its approval. */
const RETENTION_DAYS = 7;

/** GitHub's own artifact service, with the token that the runner hands to this job. */
export function githubArtifacts(): Artifacts {
  const client = new DefaultArtifactClient();
  return {
    async upload(name, file) {
      await client.deleteArtifact(name).catch(ignoreMissing);
      await client.uploadArtifact(name, [file], dirname(file), { retentionDays: RETENTION_DAYS });
    },
    async download(name, directory) {
      const found = await client.getArtifact(name).catch(ignoreMissing);
      if (!found) return false;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await client.downloadArtifact(found.artifact.id, { path: directory });
      return true;
    },
  };
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof ArtifactNotFoundError) return undefined;
  throw error;
}
