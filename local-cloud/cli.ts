/** `local-cloud up | down | status | reset`: a Hetzner Cloud of one's own, on this machine. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { elapsed } from '../lib/report/markdown.ts';
import { checkout, claimInstance, findInstance, releaseInstance } from './claim.ts';
import { runningPid, startDaemon, stopDaemon } from './hardware/daemon.ts';
import { runDirectory } from './hardware/engine.ts';
import { createMachinery } from './hardware/machinery.ts';
import { type Instance, nameOf } from './instance.ts';
import { endLeftovers } from './leftovers.ts';
import { gitHubUrl, hetznerUrl, slackUrl } from './runner-files.ts';
import { forgetBuilder } from './services/builder.ts';
import { filesOf, SERVICES, stopServices } from './services/daemons.ts';
import { registryAddress } from './services/registry.ts';
import { s3Address } from './services/s3.ts';
import { READY, STAGE } from './stages.ts';

const USAGE = `usage: local-cloud up | down | status | reset

  up      starts the cloud, or what is missing of it; servers come back as they were
  down    removes everything from the machine: servers with their disks, networks, processes;
          the next up is an empty cloud
  status  shows what runs and where it answers
  reset   down, and forgets keys, images and reports too
`;

const commands: Record<string, () => Promise<void>> = { up, down, status, reset };

async function up(): Promise<void> {
  const instance = claimInstance();
  const files = filesOf(instance, 'cloud');
  if ((await runningPid(files.pidFile)) !== null && isReady(files.logFile)) {
    console.log(`The local cloud ${nameOf(instance)} is up.`);
    return;
  }
  await stopDaemon(files.pidFile, 10_000);
  mkdirSync(dirname(files.logFile), { recursive: true });
  writeFileSync(files.logFile, '');
  await startDaemon({
    argv: [process.execPath, join(checkout, 'local-cloud', 'cloud.ts')],
    ...files,
  });
  await follow(files);
  console.log(`The local cloud ${nameOf(instance)} is up.`);
}

/** Prints each stage as it comes, with what the one before took. */
async function follow(files: { pidFile: string; logFile: string }): Promise<void> {
  const begun = Date.now();
  let shown = 0;
  for (;;) {
    const alive = (await runningPid(files.pidFile)) !== null;
    const stages = linesOf(files.logFile).filter((line) => line.startsWith(STAGE));
    for (const line of stages.slice(shown)) {
      if (line === READY) return;
      console.log(`  ${elapsed(Date.now() - begun).padStart(8)}  ${line.slice(STAGE.length)}`);
    }
    shown = stages.length;
    if (!alive) {
      const last = linesOf(files.logFile).slice(-15).join('\n');
      throw new Error(
        `The local cloud did not come up; the last lines of ${files.logFile}:\n${last}`,
      );
    }
    await sleep(200);
  }
}

async function down(): Promise<void> {
  const instance = findInstance();
  if (!instance) {
    console.log('There is no local cloud of this checkout.');
    return;
  }
  await endLeftovers(instance.stateDirectory);
  await stopDaemon(filesOf(instance, 'cloud').pidFile, 30_000);
  await stopServices(instance);
  await forgetBuilder(instance);
  await createMachinery(instance, (line) => console.log(`  ${line}`)).down();
  rmSync(runDirectory(instance), { recursive: true, force: true });
  // Whoever remembered the servers would look for them in vain: the API, Terraform's state, the demo.
  for (const memory of ['hetzner', 's3', 'demo.json']) {
    rmSync(join(instance.stateDirectory, memory), { recursive: true, force: true });
  }
  releaseInstance(instance);
  console.log(
    `The local cloud ${nameOf(instance)} is down; its reports are kept in .local-cloud/.`,
  );
}

async function reset(): Promise<void> {
  await down();
  rmSync(join(checkout, '.local-cloud'), { recursive: true, force: true });
  console.log('Its state is forgotten.');
}

async function status(): Promise<void> {
  const instance = findInstance();
  if (!instance) {
    console.log('down');
    return;
  }
  for (const name of ['cloud', ...SERVICES] as const) {
    const pid = await runningPid(filesOf(instance, name).pidFile);
    console.log(`${name.padEnd(10)} ${pid === null ? 'down' : `up, pid ${pid}`}`);
  }
  for (const [name, address] of addresses(instance)) console.log(`${name.padEnd(10)} ${address}`);
  console.log(JSON.stringify(await createMachinery(instance, () => {}).status(), null, 2));
}

function addresses(instance: Instance): [string, string][] {
  return [
    ['Hetzner', hetznerUrl(instance)],
    ['GitHub', gitHubUrl(instance)],
    ['Slack', slackUrl(instance)],
    ['registry', `https://${registryAddress(instance)}`],
    ['state', `http://${s3Address(instance)}`],
  ];
}

function isReady(logFile: string): boolean {
  return linesOf(logFile).includes(READY);
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}

const command = commands[process.argv[2] ?? ''];
if (!command) {
  process.stdout.write(USAGE);
  process.exitCode = process.argv[2] === '--help' ? 0 : 2;
} else if (process.platform !== 'linux' || process.getuid?.() !== 0) {
  console.error(
    'The local cloud makes network namespaces and loop devices: run it as root on Linux.',
  );
  process.exitCode = 1;
} else {
  await command().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
