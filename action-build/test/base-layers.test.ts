import { expect, test } from '@jest/globals';
import { wholeOf } from '../src/base-layers.ts';

const layer = { created_by: 'COPY notes.txt / # buildkit' };
const empty = (created_by: string) => ({ created_by, empty_layer: true });
const command = empty('CMD ["/app"]');
const user = empty('USER 10001');

test.each<[string, object[], object[] | undefined]>([
  ['a CMD before the last layer', [layer, command, layer, user], [layer, layer, user]],
  [
    'one of the former builder',
    [layer, empty('/bin/sh -c #(nop)  CMD ["jshell"]'), layer],
    [layer, layer],
  ],
  ['several', [layer, command, layer, command, layer, command], [layer, layer, layer]],
  ['a CMD after the last layer', [layer, user, command], undefined],
  ['none', [layer, user, layer], undefined],
  ['a layer that is called so', [{ created_by: 'CMD' }, layer], undefined],
  ['no step at all', [], undefined],
])('an image with %s', (_what, history, expected) => {
  const whole = wholeOf(JSON.stringify({ architecture: 'amd64', history, rootfs: { x: 1 } }));
  expect(whole && JSON.parse(whole)).toEqual(
    expected && { architecture: 'amd64', history: expected, rootfs: { x: 1 } },
  );
});

test.each(['{"architecture":"amd64"}', '{"history":null}'])('%s has no base', (configuration) => {
  expect(wholeOf(configuration)).toBeUndefined();
});
