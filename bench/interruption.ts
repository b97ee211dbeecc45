/** What is to be undone when the bench is interrupted, the newest last. */
const undoing: (() => Promise<void>)[] = [];

/**
 * Lets an interruption (Ctrl-C, SIGTERM) undo something before it ends the bench; another one ends it at once.
 * @returns what undoes it, once, whoever asks: the scenario's end, or the interruption.
 */
export function undone(undo: () => Promise<void>): () => Promise<void> {
  let once: Promise<void> | undefined;
  const undoOnce = (): Promise<void> => {
    once ??= undo();
    return once;
  };
  if (undoing.length === 0) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, undoAll);
  }
  undoing.push(undoOnce);
  return undoOnce;
}

async function undoAll(signal: NodeJS.Signals): Promise<void> {
  console.error(`\n${signal}: removing what was started …`);
  for (const undo of undoing.toReversed()) await undo().catch(console.error);
  process.exit(130);
}
