/**
 * Two things at a time. Both are waited for even when one fails, so that nothing of them goes on
 * behind a step that has ended; the first one's failure is told before the other's.
 */
export async function sideBySide<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}
