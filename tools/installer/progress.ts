import type { Outcome, Watcher } from './schedule.ts';

const HEARTBEAT_MS = 30_000;

export interface Progress extends Watcher {
  /** Stops the heartbeat. */
  stop(): void;
}

/** A line when something starts and ends, and every half minute what is still under way. */
export function progress(
  title: (name: string) => string,
  print: (line: string) => void = console.log,
): Progress {
  const since = new Map<string, number>();
  const elapsed = (name: string) => (performance.now() - (since.get(name) ?? 0)) / 1000;
  const timer = setInterval(() => {
    const names = [...since.keys()].map((name) => `${name} ${seconds(elapsed(name))}`);
    if (names.length > 0) print(`  still  ${names.join(', ')}`);
  }, HEARTBEAT_MS);
  return {
    started(name) {
      since.set(name, performance.now());
      print(`  start  ${title(name)}`);
    },
    ended(outcome) {
      since.delete(outcome.name);
      print(`  ${line(outcome, title(outcome.name))}`);
    },
    stop: () => clearInterval(timer),
  };
}

function line(outcome: Outcome, title: string): string {
  switch (outcome.result) {
    case 'done':
      return `done   ${title}  ${seconds(outcome.seconds)}`;
    case 'failed':
      return `FAILED ${title}  ${seconds(outcome.seconds)}`;
    case 'blocked':
      return `not done: ${title} needs ${outcome.by}`;
  }
}

/** "8 s", "2 min 05 s". */
export function seconds(value: number): string {
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}
