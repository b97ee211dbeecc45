import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { files, readDashboards } from '../dashboards.ts';

const root = resolve(import.meta.dirname, '../../..');
const rules = join(root, 'infra/ansible/roles/monitoring/files/rules');
const tests = join(import.meta.dirname, 'rules');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string; service: string };
  annotations: { summary: string; runbook: string };
}
const alerts = readdirSync(rules).flatMap((file) =>
  (
    parse(readFileSync(join(rules, file), 'utf8')) as { groups: { rules: Rule[] }[] }
  ).groups.flatMap((group) => group.rules),
);
const expectations = readdirSync(tests).flatMap((file) =>
  (
    parse(readFileSync(join(tests, file), 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    }
  ).tests.flatMap((each) => each.alert_rule_test),
);

describe('alert rules', () => {
  test('hold what their own tests say', () => {
    execFileSync('promtool', ['check', 'rules', ...readdirSync(rules).map((f) => join(rules, f))]);
    execFileSync('promtool', ['test', 'rules', ...readdirSync(tests)], { cwd: tests });
  });

  test.each(alerts.map(({ alert }) => [alert]))(
    '%s fires in a test, and keeps silent in one',
    (alert) => {
      const own = expectations.filter(({ alertname }) => alertname === alert);
      expect(own.some(({ exp_alerts }) => exp_alerts !== undefined)).toBe(true);
      expect(own.some(({ exp_alerts }) => exp_alerts === undefined)).toBe(alert !== 'Watchdog');
    },
  );

  test.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s is explained where it says',
    (alert, rule) => {
      expect(rule.annotations.runbook).toBe(`docs/monitoring.md#${alert.toLowerCase()}`);
      const page = readFileSync(join(root, 'docs/monitoring.md'), 'utf8');
      expect(page).toMatch(new RegExp(`^### ${alert}$`, 'm'));
      // Marked are those that the collector alone counts or says.
      const mark = /compta_edge_|traces_span_|otelcol_/.test(rule.expr) ? ' †' : '';
      const row = new RegExp(
        `^\\| \\[${alert}\\]\\(#${alert.toLowerCase()}\\)${mark} \\|.*\\| ${rule.labels.severity} \\|$`,
        'm',
      );
      expect(page).toMatch(row);
    },
  );
});

describe('dashboards', () => {
  test('are what dashboards.yml says', () => {
    for (const [path, content] of files()) expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test('ask questions that Prometheus understands', () => {
    const source = readDashboards(
      readFileSync(join(root, 'infra/monitoring/dashboards.yml'), 'utf8'),
    );
    const queries = Object.values(source)
      .flatMap(({ sections }) => sections.flatMap(({ panels }) => panels))
      .flatMap(({ promql = [] }) => promql.map(({ query }) => query));
    const folder = mkdtempSync(join(tmpdir(), 'compta-dashboards-'));
    const file = join(folder, 'queries.json');
    const recorded = queries.map((expr, index) => ({ record: `panel:${index}`, expr }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
    const said = execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect(said).toContain(`${queries.length} rules found`);
    rmSync(folder, { recursive: true });
  });

  test('refuse a panel that asks nothing, or a unit that SigNoz does not have', () => {
    const panel = (more: string) =>
      readDashboards(`x: {title: t, sections: [{title: s, panels: [{title: p, ${more}}]}]}`);
    expect(() => panel('unit: s')).toThrow(/either promql or metrics/);
    expect(() => panel('unit: seconds, promql: [{query: up, legend: l}]')).toThrow(/unit/);
  });
});
