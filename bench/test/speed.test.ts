import { expect, test } from '@jest/globals';
import type { Moment } from '../../lib/release/progress.ts';
import { leastTime } from '../release/speed.ts';

test("the least time of a release is its slowest server's pull and starts, one after the other", () => {
  const moment = (
    at: number,
    kind: Moment['kind'],
    host: string,
    what: string,
    took?: number,
  ): Moment => ({ at, kind, host, what, ...(took !== undefined && { took }) });
  const start = 'start auth-service-b';
  const next = 'start api-gateway-b';
  const moments = [
    moment(0, 'begin', 'app-1', 'pull 2 images'),
    moment(900, 'end', 'app-1', 'pull 2 images', 900),
    moment(400, 'end', 'app-2', 'pull 2 images', 400),
    moment(1_000, 'begin', 'app-1', start),
    moment(1_000, 'begin', 'app-2', start),
    moment(1_200, 'end', 'app-1', start, 200),
    moment(21_000, 'note', 'app-1', 'auth-service-b is healthy'),
    moment(31_000, 'note', 'app-2', 'auth-service-b is healthy'),
    moment(26_000, 'begin', 'app-1', next),
    moment(27_000, 'note', 'app-1', 'api-gateway-b is healthy'),
  ];
  // app-1: 0.9 + 20 + 1 s; app-2: 0.4 + 30 s.
  expect(leastTime(moments)).toBe(30_400);
});
