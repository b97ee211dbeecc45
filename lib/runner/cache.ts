/** Folders that one run leaves for the next; never anything that a job depends on. */
export interface Cache {
  /** @returns whether there was something under exactly this key */
  restore(key: string, paths: readonly string[]): Promise<boolean>;
  /** A key is written once: what it stands for must be in it. */
  save(key: string, paths: readonly string[]): Promise<void>;
}

/**
 * GitHub's own cache service; without one (a self-hosted runner's may be switched off) nothing is
 * kept. Its failures are warnings of @actions/cache, which is loaded when it is asked for.
 */
export function githubCache(env: NodeJS.ProcessEnv = process.env): Cache {
  // Without these no version of the service is there; loading its client would tell the same, later.
  const isOffered = Boolean(env.ACTIONS_CACHE_URL || env.ACTIONS_CACHE_SERVICE_V2);
  return {
    async restore(key, paths) {
      if (!isOffered) return false;
      const { isFeatureAvailable, restoreCache } = await import('@actions/cache');
      return isFeatureAvailable() && (await restoreCache([...paths], key)) !== undefined;
    },
    async save(key, paths) {
      if (!isOffered) return;
      const { isFeatureAvailable, saveCache } = await import('@actions/cache');
      if (isFeatureAvailable()) await saveCache([...paths], key);
    },
  };
}
