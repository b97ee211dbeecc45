import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { loadCertificates } from '../identity.ts';
import { gatewayAddress } from '../instance.ts';

const stateDirectory = mkdtempSync(join(tmpdir(), 'compta-certificates-'));
afterAll(() => rmSync(stateDirectory, { recursive: true }));

const certificate = async (number: number) =>
  new X509Certificate(
    readFileSync((await loadCertificates({ number, stateDirectory })).certificate),
  );

test('a checkout that got another number has a certificate for its new address', async () => {
  const first = await certificate(1);
  expect((await certificate(1)).serialNumber).toBe(first.serialNumber);
  const address = gatewayAddress({ number: 0, stateDirectory });
  expect(first.checkIP(address)).toBeUndefined();
  expect((await certificate(0)).checkIP(address)).toBe(address);
});
