/**
 * SigNoz' dashboards (schema v6) out of dashboards.yml. `node dashboards.ts` says whether the files in
 * the role are current, `--write` makes them so.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const metric = z.strictObject({
  name: z.string(),
  time: z.enum(['avg', 'max', 'rate']).optional(),
  space: z.enum(['avg', 'sum', 'p50', 'p95', 'p99']),
  filter: z.string().default(''),
  by: z.array(z.string()).default([]),
});
const panel = z
  .strictObject({
    title: z.string(),
    unit: z.enum(['none', 'bytes', 'Bps', 'ops', 'percentunit', 'reqps', 's']),
    promql: z
      .array(z.strictObject({ query: z.string(), legend: z.string() }))
      .min(1)
      .optional(),
    metrics: z.array(metric).min(1).optional(),
  })
  .refine((panel) => (panel.promql === undefined) !== (panel.metrics === undefined), {
    message: 'a panel has either promql or metrics',
  });
const source = z.record(
  z.string().regex(/^[a-z]+$/),
  z.strictObject({
    title: z.string(),
    sections: z.array(z.strictObject({ title: z.string(), panels: z.array(panel).min(1) })).min(1),
  }),
);

export type Dashboards = z.infer<typeof source>;
type Panel = z.infer<typeof panel>;

/** @throws ZodError that names what is wrong in the text. */
export function readDashboards(yaml: string): Dashboards {
  return source.parse(parse(yaml));
}

/** Columns of SigNoz' grid, and a panel's size on it. */
const COLUMNS = 12;
const SIZE = { width: 4, height: 6 };

/** What `POST /api/v2/dashboards` takes. */
export function toSignoz(name: string, { title, sections }: Dashboards[string]): unknown {
  const id = (section: number, index: number) => `${name}-${section + 1}-${index + 1}`;
  return {
    schemaVersion: 'v6',
    name: `compta-${name}`,
    tags: [{ key: 'project', value: 'compta' }],
    spec: {
      display: { name: title },
      variables: [],
      panels: Object.fromEntries(
        sections.flatMap(({ panels }, section) =>
          panels.map((panel, index) => [id(section, index), toPanel(panel)]),
        ),
      ),
      layouts: sections.map(({ title, panels }, section) => ({
        kind: 'Grid',
        spec: {
          display: { title, collapse: { open: true } },
          items: panels.map((_, index) => ({
            x: (index * SIZE.width) % COLUMNS,
            y: Math.floor((index * SIZE.width) / COLUMNS) * SIZE.height,
            ...SIZE,
            content: { $ref: `#/spec/panels/${id(section, index)}` },
          })),
        },
      })),
    },
  };
}

function toPanel({ title, unit, promql = [], metrics = [] }: Panel): unknown {
  const queries = [
    ...promql.map(({ query, legend }, index) => ({
      type: 'promql',
      spec: { name: letter(index), query, legend, disabled: false, step: 0, stats: false },
    })),
    ...metrics.map(({ name, time, space, filter, by }, index) => ({
      type: 'builder_query',
      spec: {
        name: letter(index),
        signal: 'metrics',
        stepInterval: 60,
        aggregations: [
          {
            metricName: name,
            timeAggregation: time ?? '',
            spaceAggregation: space,
            reduceTo: 'avg',
          },
        ],
        disabled: false,
        filter: { expression: filter },
        groupBy: by.map((key) => ({ name: key })),
        legend: by.map((key) => `{{${key}}}`).join(' '),
      },
    })),
  ];
  return {
    kind: 'Panel',
    spec: {
      display: { name: title },
      plugin: { kind: 'signoz/TimeSeriesPanel', spec: { formatting: { unit } } },
      queries: [
        {
          kind: 'time_series',
          spec: { plugin: { kind: 'signoz/CompositeQuery', spec: { queries } } },
        },
      ],
    },
  };
}

function letter(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

/** Path → content of every file that the role places. */
export function files(): Map<string, string> {
  const target = resolve(import.meta.dirname, '../ansible/roles/signoz/files/dashboards');
  const dashboards = readDashboards(
    readFileSync(join(import.meta.dirname, 'dashboards.yml'), 'utf8'),
  );
  return new Map(
    Object.entries(dashboards).map(([name, dashboard]) => [
      join(target, `${name}.json`),
      `${JSON.stringify(toSignoz(name, dashboard), null, 2)}\n`,
    ]),
  );
}

if (import.meta.main) {
  for (const [path, content] of files()) {
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue;
    if (process.argv.includes('--write')) {
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, content);
      console.log(`wrote ${path}`);
    } else {
      console.error(
        `${path} is not what dashboards.yml says: node infra/monitoring/dashboards.ts --write`,
      );
      process.exitCode = 1;
    }
  }
}
