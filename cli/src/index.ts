import { connectAll } from '../../lib/release/connect.ts';
import type { Outcome } from '../../lib/release/deploy.ts';
import { type Command, destination, help, type Options, readArguments } from './arguments.ts';
import { deployBy, history, rollbackBy, status, unlock } from './commands.ts';
import { migrateCommand } from './migrate.ts';
import { columns, historyText, statusText } from './text.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupt.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function run(argv: readonly string[]): Promise<void> {
  if (argv[0] === 'migrate') {
    process.exitCode = await migrateCommand(argv.slice(1), interrupt.signal);
    return;
  }
  if (argv.length === 0 || argv.includes('--help')) {
    process.stdout.write(help);
    return;
  }
  const { command, options } = readArguments(argv);
  const { environment, destination: where } = destination(options, process.env);
  const { hosts, close } = await connectAll(where);
  try {
    const manners = { say: (line: string) => console.error(line), cancelled: interrupt.signal };
    const actions: Record<Command, () => Promise<void>> = {
      status: async () => show(options, await status(hosts), statusText),
      history: async () => show(options, await history(hosts), historyText),
      unlock: async () => {
        const freed = await unlock(hosts, options);
        show(options, freed, () => `Freed ${freed.length} of ${hosts.length} leases.`);
      },
      deploy: async () => finish(options, await deployBy(hosts, environment, options, manners)),
      rollback: async () => finish(options, await rollbackBy(hosts, environment, options, manners)),
    };
    await actions[command]();
  } finally {
    await close();
  }
}

function show<T>(options: Options, data: T, text: (data: T) => string): void {
  console.log(options.json ? JSON.stringify(data, null, 2) : text(data));
}

function finish(options: Options, outcome: Outcome): void {
  show(options, outcome, ({ rows, version, problem, ...rest }) =>
    [
      columns(rows.map((row) => [row.host, row.service, row.from, row.to, row.outcome])),
      `${version}: ${rest.status}`,
      ...(problem === undefined ? [] : [problem, rest.evidence?.log ?? '']),
    ].join('\n'),
  );
  if (outcome.status === 'rolled-back' || outcome.status === 'failed') process.exitCode = 1;
}
