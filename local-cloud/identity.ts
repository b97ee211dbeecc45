import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lib/process/run.ts';
import { keyPair } from '../lib/ssh/key-pair.ts';
import type { Instance } from './instance.ts';
import { gatewayAddress } from './instance.ts';

/** The secrets of one local cloud: made once, kept 0600, the same after a restart. */
export interface Identity {
  /** 64 characters, as the provider insists. */
  hcloudToken: string;
  registryUser: string;
  registryPassword: string;
  stateAccessKey: string;
  stateSecretKey: string;
  planKey: string;
  slackToken: string;
  githubToken: string;
  testUser: string;
  testPassword: string;
  /** OpenSSH format; its public half is what Terraform gives to servers. */
  sshPrivateKey: string;
  sshPublicKey: string;
}

export function loadIdentity(instance: Instance): Identity {
  const file = join(instance.stateDirectory, 'identity.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Identity;
  const identity = makeIdentity();
  writeFileSync(file, JSON.stringify(identity, null, 2), { mode: 0o600 });
  return identity;
}

/** The file of the key that opens this cloud's own vault, made once. */
export function vaultKey(instance: Instance): string {
  const file = join(instance.stateDirectory, 'vault-key');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
  return file;
}

function makeIdentity(): Identity {
  const word = (bytes: number) => randomBytes(bytes).toString('hex');
  const key = keyPair('compta-deploy');
  return {
    hcloudToken: word(32),
    registryUser: 'compta-pipeline',
    registryPassword: word(16),
    stateAccessKey: word(10),
    stateSecretKey: word(20),
    planKey: word(32),
    slackToken: `xoxb-${word(16)}`,
    githubToken: `ghs_${word(18)}`,
    testUser: 'amina',
    testPassword: word(12),
    sshPrivateKey: key.private,
    sshPublicKey: key.public,
  };
}

export interface Certificates {
  /** The instance's own authority, which runner and servers are told to trust. */
  authority: string;
  certificate: string;
  key: string;
}

/**
 * An authority and a server certificate for the gateway's address, valid for two years; new ones when
 * the checkout has another number, and with it another address, than when they were made.
 */
export async function loadCertificates(instance: Instance): Promise<Certificates> {
  const folder = join(instance.stateDirectory, 'tls');
  const file = (name: string) => join(folder, name);
  const paths = {
    authority: file('ca.crt'),
    certificate: file('server.crt'),
    key: file('server.key'),
  };
  if (existsSync(paths.certificate)) {
    const made = new X509Certificate(readFileSync(paths.certificate));
    if (made.checkIP(gatewayAddress(instance))) return paths;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of ['ca', 'server']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file(`${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
      mode: 0o600,
    });
  }
  const days = ['-days', '730'];
  await run([
    'openssl',
    'req',
    '-x509',
    '-new',
    '-key',
    file('ca.key'),
    '-out',
    paths.authority,
    ...days,
    '-subj',
    '/CN=COMPTA local cloud',
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  ]);
  await run([
    'openssl',
    'req',
    '-x509',
    '-new',
    '-key',
    paths.key,
    '-out',
    file('server.tmp'),
    ...days,
    '-subj',
    `/CN=${gatewayAddress(instance)}`,
    '-CA',
    paths.authority,
    '-CAkey',
    file('ca.key'),
    '-addext',
    `subjectAltName=IP:${gatewayAddress(instance)}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-addext',
    'extendedKeyUsage=serverAuth',
  ]);
  await run(['mv', file('server.tmp'), paths.certificate]);
  return paths;
}
