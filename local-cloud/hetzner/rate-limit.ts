/** Hetzner's budget of a project: so many requests an hour, given back one by one. */
export class RateLimit {
  readonly #limit: number;
  readonly #now: () => number;
  #remaining: number;
  #since: number;

  /** @param limit requests an hour; @param now milliseconds */
  constructor(limit: number, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
    this.#remaining = limit;
    this.#since = now();
  }

  /** Takes one request from the budget; false when there is none left. */
  take(): boolean {
    const now = this.#now();
    const earned = ((now - this.#since) / 3_600_000) * this.#limit;
    this.#remaining = Math.min(this.#limit, this.#remaining + earned);
    this.#since = now;
    if (this.#remaining < 1) return false;
    this.#remaining -= 1;
    return true;
  }

  /** `RateLimit-Reset` is the Unix time at which the budget is full again. */
  headers(): Record<string, string> {
    const missing = this.#limit - this.#remaining;
    const full = this.#since / 1000 + (missing / this.#limit) * 3600;
    return {
      'RateLimit-Limit': String(this.#limit),
      'RateLimit-Remaining': String(Math.floor(this.#remaining)),
      'RateLimit-Reset': String(Math.ceil(full)),
    };
  }
}
