/**
 * Several things at a time. All are waited for even when one fails, so that nothing of them goes on
 * behind a step that has ended; of two failures the one that stands first is told.
 */
export async function sideBySide<T extends unknown[]>(
  ...things: { [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(things);
  return (await Promise.all(things)) as T;
}
