import { describe, expect, test } from '@jest/globals';
import { schedule, type Task } from '../installer/schedule.ts';

const silent = { started() {}, ended() {} };
const task = (name: string, after: string[], work: () => Promise<void>, lane = 'any'): Task => ({
  name,
  after,
  lane,
  work,
});
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe('schedule', () => {
  test('keeps the order and the room of a lane', async () => {
    const ended: string[] = [];
    let together = 0;
    let most = 0;
    const work = (name: string) => async () => {
      most = Math.max(most, ++together);
      await pause();
      together--;
      ended.push(name);
    };
    await schedule(
      [task('c', ['a', 'b'], work('c')), task('a', [], work('a')), task('b', ['a'], work('b'))],
      { any: 3 },
      silent,
    );
    expect(ended).toEqual(['a', 'b', 'c']);
    const four = ['1', '2', '3', '4'].map((name) => task(name, [], work(name)));
    most = 0;
    await schedule(four, { any: 2 }, silent);
    expect(most).toBe(2);
  });

  test('a failure stops what needs it, however far, and nothing else', async () => {
    const outcomes = await schedule(
      [
        task('last', ['middle'], pause),
        task('middle', ['first'], pause),
        task('first', [], () => Promise.reject(new Error('no'))),
        task('other', ['absent'], pause),
      ],
      {},
      silent,
    );
    expect(outcomes.map(({ name, result }) => `${name} ${result}`)).toEqual([
      'last blocked',
      'middle blocked',
      'first failed',
      'other done',
    ]);
  });
});
