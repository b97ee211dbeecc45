import { styleText } from 'node:util';
import { connectAll, type Destination, namesOf } from '../../lib/release/connect.ts';
import { destinationInputs } from '../../lib/release/inputs.ts';
import { leaveBehind } from '../../lib/release/step.ts';
import { messageOf } from '../../lib/runner/main.ts';
import { type Line, readArguments } from './arguments.ts';
import { helpOf, overview } from './help.ts';
import { migrateCommand } from './migrate.ts';
import { commandLineRunner } from './runner.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupt.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  const [first] = process.argv.slice(2);
  if (first === undefined || first === '--help' || first === '-h') process.stdout.write(overview());
  else if (first === 'migrate') {
    process.exitCode = await migrateCommand(process.argv.slice(3), interrupt.signal);
  } else await run(readArguments(process.argv.slice(2)));
} catch (error) {
  console.error(styleText('red', messageOf(error), { stream: process.stderr }));
  process.exitCode = 1;
}

async function run({ name, command, words, values }: Line): Promise<void> {
  if (values.help) {
    process.stdout.write(helpOf(name, command));
    return;
  }
  const outputs = process.env.COMPTA_TERRAFORM_OUTPUTS;
  const given = values.hosts === undefined && outputs ? { 'terraform-outputs': outputs } : {};
  const runner = commandLineRunner({ ...given, ...values }, process.env);
  const asked = destinationInputs(runner);
  const destination: Destination = command.whoeverAnswers
    ? { ...asked, unreachable: 'skip' }
    : asked;
  const act = command.prepare({ runner, cancelled: interrupt.signal }, words);
  const servers = await connectAll(destination);
  const { hosts, absent } = servers;
  try {
    if (!command.whoeverAnswers) await leaveBehind(runner, servers);
    const { data, text, failed, exitCode } = await act(hosts);
    process.exitCode = exitCode ?? (failed ? 1 : 0);
    // Standard output belongs to a command that was run.
    if (exitCode !== undefined) return;
    console.log(runner.redact(values.json ? JSON.stringify(data, null, 2) : text));
    if (command.whoeverAnswers && absent.length > 0) {
      throw new Error(`Nobody answers at ${namesOf(absent)}.`);
    }
  } finally {
    await servers.close();
  }
}
