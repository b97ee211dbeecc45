/** One thing to do, after others, in a lane that holds a limited number at a time. */
export interface Task {
  name: string;
  after: readonly string[];
  lane: string;
  /** @throws anything: the task has then failed, with all that come after it. */
  work(): Promise<void>;
}

export type Outcome =
  | { name: string; result: 'done'; seconds: number }
  | { name: string; result: 'failed'; seconds: number; error: unknown }
  | { name: string; result: 'blocked'; by: string };

export interface Watcher {
  started(name: string): void;
  ended(outcome: Outcome): void;
}

/**
 * Does all tasks, each as soon as those it comes after are done and its lane has room, in
 * the given order otherwise. One that fails stops only those that need it.
 *
 * @param room lane → how many at a time; 1 for a lane that is not named. A task that comes
 * after a name that is not among the tasks does not wait for it.
 */
export async function schedule(
  tasks: readonly Task[],
  room: Readonly<Record<string, number>>,
  watcher: Watcher,
): Promise<Outcome[]> {
  const waiting = [...tasks];
  const outcomes = new Map<string, Outcome>();
  const running = new Map<string, { lane: string; end: Promise<void> }>();
  const names = new Set(tasks.map((task) => task.name));

  const settle = (outcome: Outcome) => {
    outcomes.set(outcome.name, outcome);
    watcher.ended(outcome);
  };
  const blocker = (task: Task) =>
    task.after.find((name) => {
      const outcome = outcomes.get(name);
      return outcome !== undefined && outcome.result !== 'done';
    });
  const isReady = (task: Task) =>
    task.after.every((name) => !names.has(name) || outcomes.has(name)) &&
    [...running.values()].filter(({ lane }) => lane === task.lane).length < (room[task.lane] ?? 1);

  while (waiting.length > 0 || running.size > 0) {
    for (const task of [...waiting]) {
      const by = blocker(task);
      if (by === undefined && !isReady(task)) continue;
      waiting.splice(waiting.indexOf(task), 1);
      if (by !== undefined) {
        settle({ name: task.name, result: 'blocked', by });
        continue;
      }
      watcher.started(task.name);
      const end = attempt(task).then((outcome) => {
        running.delete(task.name);
        settle(outcome);
      });
      running.set(task.name, { lane: task.lane, end });
    }
    if (running.size > 0) await Promise.race([...running.values()].map(({ end }) => end));
  }
  return tasks.flatMap((task) => outcomes.get(task.name) ?? []);
}

async function attempt({ name, work }: Task): Promise<Outcome> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  try {
    await work();
    return { name, result: 'done', seconds: seconds() };
  } catch (error) {
    return { name, result: 'failed', seconds: seconds(), error };
  }
}
