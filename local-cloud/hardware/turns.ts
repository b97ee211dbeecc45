/** Takes work in turns per key: two calls about the same server never interleave. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` once all earlier work under `key` has ended, whether it succeeded or not. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const previous = this.#last.get(key) ?? Promise.resolve();
    const mine = previous.then(work, work);
    const settled = mine.catch(() => {});
    this.#last.set(key, settled);
    settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return mine;
  }
}
