import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What travels from one job of a run to another; never found by another run. */
export interface Artifacts {
  /** Frees a name, which a run gives away once, so that a job can be run again. */
  remove(name: string): Promise<void>;
  /** A folder goes up whole. */
  upload(name: string, path: string): Promise<void>;
  /**
   * Unpacks the artifact of this run into `directory`.
   * @returns false when this run has none of that name
   */
  download(name: string, directory: string): Promise<boolean>;
}

/** How long a plan may wait for its approval, and a report for its reader. */
const RETENTION_DAYS = 7;

/**
 * GitHub's own artifact service, with the token that the runner hands to this job. Its client is
 * loaded when it is asked for: it is most of a bundle, and most steps have no use for it.
 */
export function githubArtifacts(): Artifacts {
  return {
    async remove(name) {
      const { ArtifactNotFoundError, DefaultArtifactClient } = await import('@actions/artifact');
      await new DefaultArtifactClient().deleteArtifact(name).catch(ignored(ArtifactNotFoundError));
    },
    async upload(name, path) {
      const { DefaultArtifactClient } = await import('@actions/artifact');
      const client = new DefaultArtifactClient();
      const folder = (await stat(path)).isDirectory() ? path : dirname(path);
      const files = folder === path ? await filesBelow(folder) : [path];
      await client.uploadArtifact(name, files, folder, { retentionDays: RETENTION_DAYS });
    },
    async download(name, directory) {
      const { ArtifactNotFoundError, DefaultArtifactClient } = await import('@actions/artifact');
      const client = new DefaultArtifactClient();
      const found = await client.getArtifact(name).catch(ignored(ArtifactNotFoundError));
      if (!found) return false;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await client.downloadArtifact(found.artifact.id, { path: directory });
      return true;
    },
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function ignored(kind: new (...args: never[]) => Error): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof kind) return undefined;
    throw error;
  };
}
