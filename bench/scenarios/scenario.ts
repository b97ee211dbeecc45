import type { JobRecord } from '../../demo/progress.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import type { Figures } from '../measurement.ts';

export interface Scenario {
  /** One sentence for `--help`. */
  shows: string;
  /** @throws AssertionError when it does not show it. */
  run(instance: Instance, print: (line: string) => void): Promise<Figures>;
}

/** All that the jobs' summaries say. */
export function summaryOf(jobs: readonly JobRecord[]): string {
  return jobs.flatMap(({ summaries }) => summaries).join('\n');
}

export function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}
