import { describe, expect, test } from '@jest/globals';
import {
  countBySeverity,
  type Finding,
  findingsOf,
  type Policy,
  sortOut,
  trivyReport,
  unknownSystem,
} from '../src/findings.ts';

describe('what refuses an image', () => {
  const strict: Policy = { severities: ['CRITICAL', 'HIGH'], ignoreUnfixed: false };
  const lenient: Policy = { ...strict, ignoreUnfixed: true };
  test.each<[string, Partial<Finding>, Policy, boolean]>([
    ['a critical hole', { severity: 'CRITICAL' }, strict, true],
    ['a high one', { severity: 'HIGH' }, strict, true],
    ['a medium one', { severity: 'MEDIUM' }, strict, false],
    ['one of unknown severity', { severity: 'UNKNOWN' }, strict, false],
    ['a low one, when asked', { severity: 'LOW' }, { ...strict, severities: ['LOW'] }, true],
    ['a critical one, when only low ones count', {}, { ...strict, severities: ['LOW'] }, false],
    ['one that nobody has mended', { fixedIn: undefined }, strict, true],
    ['the same, ignoring such', { fixedIn: undefined }, lenient, false],
    ['a mended one, ignoring unmended ones', { fixedIn: '2.15.0' }, lenient, true],
    [
      'a secret, which has no mended version',
      { kind: 'secret', fixedIn: undefined },
      lenient,
      true,
    ],
    ['a secret of a lesser kind', { kind: 'secret', severity: 'LOW' }, strict, true],
    ['the root user likewise', { kind: 'misconfiguration', fixedIn: undefined }, lenient, true],
  ])('%s', (_what, change, policy, refused) => {
    const finding = { ...log4shell, ...change };
    expect(sortOut([finding], policy).refusals).toEqual(refused ? [finding] : []);
  });

  test('a severe one that may pass as nobody has mended it is told apart from harmless ones', () => {
    const unmended = { ...log4shell, fixedIn: undefined };
    const harmless: Finding = { ...unmended, severity: 'LOW' };
    expect(sortOut([unmended, harmless], lenient)).toEqual({ refusals: [], unfixed: [unmended] });
    expect(sortOut([unmended, harmless], strict).unfixed).toEqual([]);
  });
});

describe("Trivy's report", () => {
  test('gives its vulnerabilities, secrets and misconfigurations, the worst first', () => {
    const results = [
      {
        Target: 'app.jar',
        Vulnerabilities: [
          hole({ VulnerabilityID: 'CVE-2', Severity: 'LOW', FixedVersion: '' }),
          hole({ VulnerabilityID: 'CVE-1', FixedVersion: '2.15.0' }),
        ],
      },
      {
        Target: '/app/key.pem',
        Secrets: [{ RuleID: 'private-key', Severity: 'HIGH', Title: 'Asymmetric private key' }],
      },
      {
        Target: '/tmp/scan-1',
        Misconfigurations: [{ ID: 'DS-0026', Severity: 'LOW', Title: 'No HEALTHCHECK' }],
      },
    ];
    const findings = findingsOf(report(results), 'linux/arm64');
    expect(findings).toEqual([
      { ...log4shell, id: 'CVE-1', platform: 'linux/arm64' },
      expect.objectContaining({ kind: 'secret', id: 'private-key', subject: '/app/key.pem' }),
      expect.objectContaining({ id: 'CVE-2', severity: 'LOW', fixedIn: undefined }),
      expect.objectContaining({ id: 'DS-0026', subject: 'image configuration' }),
    ]);
    expect(countBySeverity(findings)).toEqual({ CRITICAL: 1, HIGH: 1, LOW: 2 });
  });

  test.each([
    ['in a Go binary', 'lang-pkgs', 'usr/bin/tool', '', 'usr/bin/tool'],
    ['in a jar', 'lang-pkgs', 'Java', 'app/lib/x.jar', 'app/lib/x.jar'],
    ['in a package of the system', 'os-pkgs', '/tmp/scan-1 (debian 12.5)', '', ''],
  ])('names the file of a hole %s', (_where, Class, Target, PkgPath, path) => {
    const results = [{ Target, Class, Vulnerabilities: [hole({ PkgPath })] }];
    expect(findingsOf(report(results), 'linux/amd64')[0]?.path).toBe(path);
  });

  test('of an empty image has no results', () => {
    expect(findingsOf(report(null), 'linux/amd64')).toEqual([]);
  });

  test('with a severity that Trivy may yet invent counts as unknown', () => {
    const results = [{ Target: 'x', Vulnerabilities: [hole({ Severity: 'NEGLIGIBLE' })] }];
    expect(findingsOf(report(results), 'linux/amd64')[0]?.severity).toBe('UNKNOWN');
  });

  test.each<[string, object, object[] | null, string | undefined]>([
    ['no distribution', {}, null, undefined],
    ['one without a hole', { Family: 'debian', Name: '12.5' }, [{ Class: 'os-pkgs' }], undefined],
    ['one that Trivy does not know', { Family: 'fedora', Name: '43' }, null, 'fedora 43'],
    [
      'the same with a jar',
      { Family: 'fedora', Name: '43' },
      [{ Class: 'lang-pkgs' }],
      'fedora 43',
    ],
  ])('of %s', (_what, system, classes, unknown) => {
    const { Metadata, ...rest } = report(classes?.map((one) => ({ Target: 'x', ...one })) ?? null);
    const OS = 'Family' in system ? { OS: system } : {};
    expect(unknownSystem(trivyReport.parse({ ...rest, Metadata: { ...Metadata, ...OS } }))).toBe(
      unknown,
    );
  });

  test('of a distribution whose support has ended says so', () => {
    const { Metadata, ...rest } = report([{ Target: 'x', Class: 'os-pkgs' }], 'app');
    const OS = { Family: 'debian', Name: '9.13', EOSL: true };
    const ended = trivyReport.parse({ ...rest, Metadata: { ...Metadata, OS } });
    const title = 'debian 9.13 has no more advisories: take a newer base image';
    expect(findingsOf(ended, 'linux/amd64')).toMatchObject([{ severity: 'HIGH', title }]);
  });

  test.each([
    ['parse instruction "apt-get": unknown instruction: apt-get', ['unread-history']],
    ['dockerfile parse error: file with no instructions', []],
  ])('of a history of which Trivy says %s', (why, ids) => {
    const log = `2026-11-23T12:00:00Z\tERROR\t[dockerfile scanner] Failed to parse file\terr="${why}"\n`;
    expect(findingsOf(report(null), 'linux/amd64', log).map(({ id }) => id)).toEqual(ids);
  });

  test('without an architecture is no report', () => {
    expect(() => trivyReport.parse({ ArtifactName: 'x', Metadata: {}, Results: [] })).toThrow();
  });
});

describe('the root user', () => {
  test.each<[string | undefined, boolean]>([
    [undefined, true],
    ['', true],
    ['0', true],
    ['root', true],
    ['0:0', true],
    ['root:app', true],
    ['10001', false],
    ['10001:0', false],
    ['app', false],
  ])('%j: found %j', (user, found) => {
    const ids = findingsOf(report([], user), 'linux/amd64').map(({ id }) => id);
    expect(ids).toEqual(found ? ['DS-0002'] : []);
  });

  test('is told once when Trivy has told it', () => {
    const told = { ID: 'DS-0002', Severity: 'HIGH', Title: 'Image user should not be root' };
    const results = [{ Target: 'image configuration', Misconfigurations: [told] }];
    expect(findingsOf(report(results, 'root'), 'linux/amd64')).toHaveLength(1);
  });
});

const log4shell: Finding = {
  kind: 'vulnerability',
  severity: 'CRITICAL',
  id: 'CVE-2021-44228',
  title: 'Log4Shell',
  subject: 'log4j-core 2.14.1',
  path: '',
  fixedIn: '2.15.0',
  platform: 'linux/amd64',
};

function hole(change: object) {
  return {
    VulnerabilityID: 'CVE-2021-44228',
    PkgName: 'log4j-core',
    InstalledVersion: '2.14.1',
    Severity: 'CRITICAL',
    Title: 'Log4Shell',
    ...change,
  };
}

function report(results: object[] | null, ...user: (string | undefined)[]) {
  const User = user.length > 0 ? user[0] : '10001';
  return trivyReport.parse({
    ArtifactName: '/tmp/scan-1',
    Metadata: {
      ImageConfig: { architecture: 'amd64', config: User === undefined ? {} : { User } },
    },
    Results: results,
  });
}
