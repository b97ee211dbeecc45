#!/usr/bin/env node
// Runs an action by hand: its inputs are a JSON object on standard input, so that no secret is in
// argv. Outputs are printed as GitHub's runner of old would read them (::set-output …).
//
//   echo '{"command": "info", …}' | run-action.mjs action-db-migrate
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';

const [action = ''] = process.argv.slice(2);
if (!/^action-[a-z-]+$/.test(action)) {
  console.error('Give the name of an action, such as action-db-migrate.');
  process.exit(2);
}
for (const [name, value] of Object.entries(JSON.parse(await text(process.stdin)))) {
  process.env[`INPUT_${name.toUpperCase()}`] = String(value);
}
process.env.RUNNER_TEMP ??= tmpdir();
await import(new URL(`../../../${action}/dist/main/index.js`, import.meta.url).href);
