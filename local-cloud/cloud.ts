/**
 * The process that is the cloud: the APIs, and the machinery that keeps servers running.
 * Started by `cli.ts up` in the background; its standard output is its log.
 *
 * It can be killed at any moment: what was promised is on disk, and the next start takes
 * it up again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, claimInstance } from './claim.ts';
import { createMachinery } from './hardware/machinery.ts';
import { startHetznerApi } from './hetzner/server.ts';
import { loadCertificates, loadIdentity } from './identity.ts';
import { loopback } from './instance.ts';
import {
  trustedAuthorities,
  WEBHOOK_SECRET,
  writeRunnerFiles,
  writeTrustedAuthorities,
} from './runner-files.ts';
import { pushBaseImages } from './services/base-images.ts';
import { builderDaemon, registerBuilder } from './services/builder.ts';
import { restart } from './services/daemons.ts';
import { filesAddress, serveFiles } from './services/files.ts';
import { startGitHub } from './services/github/server.ts';
import { registryAddress, registryDaemon } from './services/registry.ts';
import { s3Daemon } from './services/s3.ts';
import { startSlack } from './services/slack.ts';
import { awaitAnswer } from './services/waiting.ts';
import { READY, stage } from './stages.ts';

const instance = claimInstance();
const folder = (name: string) => join(instance.stateDirectory, name);
for (const name of ['hetzner', 'slack', 'github']) mkdirSync(folder(name), { recursive: true });

const identity = loadIdentity(instance);
const certificates = await stage('keys and certificates', () => loadCertificates(instance));
writeTrustedAuthorities(instance, certificates);

const machinery = createMachinery(instance, console.log);
await stage('network, engine and servers', () => machinery.up());
await stage('registry, state bucket and builder', async () => {
  await restart(await registryDaemon(instance, identity, certificates));
  await restart(s3Daemon(instance, identity));
  await restart(builderDaemon(instance, trustedAuthorities(instance)));
  await registerBuilder(instance);
  await awaitAnswer(registryAddress(instance));
});
const images = await stage('base images', () =>
  pushBaseImages(instance, identity, trustedAuthorities(instance)),
);

const listeners = await stage('Hetzner, Slack, GitHub and package repository', () =>
  Promise.all([
    startHetznerApi({
      instance,
      machinery,
      worldFile: join(folder('hetzner'), 'world.json'),
      token: identity.hcloudToken,
      listen: { host: loopback(instance, 1), port: 8080 },
    }),
    startSlack({
      address: `${loopback(instance, 3)}:8080`,
      token: identity.slackToken,
      webhookSecret: WEBHOOK_SECRET,
      file: join(folder('slack'), 'messages.json'),
    }),
    startGitHub({ address: `${loopback(instance, 4)}:8080`, folder: folder('github') }),
    serveFiles(filesAddress(instance), {
      apt: join(cacheDirectory(), 'apt-repo'),
      bin: join(cacheDirectory(), 'bin'),
    }),
  ]),
);
writeRunnerFiles(instance, identity, certificates, images);
console.log(READY);

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort());
await machinery.watch(ending.signal);
await Promise.all(listeners.map((listener) => listener.close()));
