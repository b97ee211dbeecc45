/** An API in a process of its own, to be killed: `node api-process.ts <folder> <port> <boot ms>`. */
import { join } from 'node:path';
import { startHetznerApi } from '../server.ts';
import { RecordingMachinery } from './recording-machinery.ts';

const [directory = '', port = '0', bootTime = '0'] = process.argv.slice(2);
const api = await startHetznerApi({
  instance: { number: 0, stateDirectory: directory },
  machinery: new RecordingMachinery({
    journal: join(directory, 'hardware.jsonl'),
    bootTime: Number(bootTime),
  }),
  worldFile: join(directory, 'world.json'),
  token: 't'.repeat(64),
  // An address of its own: between two starts no connection of this machine takes the port.
  listen: { host: '127.84.0.1', port: Number(port) },
});
process.stdout.write(`${api.url}\n`);
