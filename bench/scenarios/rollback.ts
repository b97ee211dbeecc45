import assert from 'node:assert/strict';
import { rollBack } from '../../demo/release.ts';
import { countsOf, timesOf } from './releases.ts';
import type { Scenario } from './scenario.ts';

export const rollback: Scenario = {
  shows: 'rollback.yml puts the release before back under load and loses nothing',
  async run(instance, print) {
    const { succeeded, jobs, traffic } = await rollBack(instance, print);
    assert.ok(succeeded);
    assert.ok(traffic);
    return { ...timesOf(jobs), ...countsOf(traffic) };
  },
};
