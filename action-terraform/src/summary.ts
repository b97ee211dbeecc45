import { cutToBytes, details, table, type Verdict, verdict } from '../../lib/report/markdown.ts';
import type { Cost } from './cost.ts';
import {
  type Change,
  type Counts,
  countsOf,
  type Kind,
  kindOf,
  managed,
  type Plan,
} from './plan.ts';
import { withoutSensitive } from './sensitive.ts';

const SIGN: Record<Kind, string> = {
  delete: '🔴 destroy',
  replace: '🔴 replace',
  update: '🟡 change',
  import: '🔵 adopt',
  create: '🟢 create',
  forget: '⚪ forget',
  none: '',
};
/** What a reviewer must not overlook comes first. */
const ORDER: Kind[] = ['delete', 'replace', 'forget', 'import', 'update', 'create'];

export interface PlanReport {
  environment: string;
  plan: Plan;
  digest: string;
  cost: Cost | undefined;
  /** Destroys that `allow-destroy` does not cover. */
  forbidden: readonly string[];
  kind: 'plan' | 'drift';
}

/** GitHub keeps 1 MiB of summary for a step; a comment has 65,536 characters. */
const LIMIT = 60_000;

export function planSummary(report: PlanReport): string {
  const parts = [headline(report), forbiddenPart(report.forbidden), changesPart(report.plan)];
  if (report.cost) parts.push(costPart(report.cost));
  parts.push(`Digest of the changes: \`${report.digest.slice(0, 16)}\``);
  const text = parts.filter((part) => part !== '').join('\n\n');
  return cutToBytes(text, LIMIT, '_The rest is in the log: it was too long for here._');
}

function headline({ environment, plan, forbidden, kind }: PlanReport): string {
  const counts = countsOf(plan);
  if (!counts.changes) {
    const nothing = kind === 'drift' ? 'has not drifted' : 'is as planned: no changes';
    return verdict('unchanged', `${environment} ${nothing}`);
  }
  const sentence = `${kind === 'drift' ? 'drifted' : 'plan'}: ${countSentence(counts)}`;
  const kindOfVerdict: Verdict =
    forbidden.length > 0 ? 'failed' : counts.destroy > 0 || kind === 'drift' ? 'warning' : 'passed';
  return verdict(kindOfVerdict, `${environment} ${sentence}`);
}

export function countSentence({ add, change, destroy, import: adopted }: Counts): string {
  const parts = [`${add} to add`, `${change} to change`, `${destroy} to destroy`];
  return (adopted > 0 ? [`${adopted} to adopt`, ...parts] : parts).join(', ');
}

function forbiddenPart(forbidden: readonly string[]): string {
  if (forbidden.length === 0) return '';
  const list = forbidden.map((address) => `- \`${address}\``).join('\n');
  return `**Not allowed.** These would be destroyed, and \`allow-destroy\` names none of them:\n\n${list}`;
}

function changesPart(plan: Plan): string {
  const changed = managed(plan)
    .map(({ address, change }) => ({ address, change, kind: kindOf(change) }))
    .filter(({ kind }) => kind !== 'none')
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  if (changed.length === 0) return '';
  return table(
    ['', 'Resource', 'What'],
    changed.map(({ address, change, kind }) => [
      SIGN[kind],
      `\`${address}\``,
      kind === 'create' || kind === 'delete' ? '' : attributesOf(change).join('\n'),
    ]),
  );
}

/** "server_type: cpx22 → cpx32" for each attribute that changes; sensitive ones by name only. */
function attributesOf(change: Change): string[] {
  const before = asRecord(withoutSensitive(change.before, change.before_sensitive));
  const after = asRecord(withoutSensitive(change.after, change.after_sensitive));
  const unknown = asRecord(change.after_unknown);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((name) => unknown[name] === true || shown(before[name]) !== shown(after[name]))
    .map((name) =>
      unknown[name] === true
        ? `${name}: known after apply`
        : `${name}: ${shown(before[name])} → ${shown(after[name])}`,
    );
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function asRecord(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

function costPart(cost: Cost): string {
  const money = (amount: number) => `${amount.toFixed(2)} ${cost.currency}`;
  const difference = cost.after - cost.before;
  const sign = difference > 0 ? '+' : '';
  const moved = difference === 0 ? '' : ` (${sign}${money(difference)})`;
  const date = cost.readAt.toISOString().slice(0, 10);
  const lines = [
    `**Monthly cost: ${money(cost.before)} → ${money(cost.after)}**${moved}, net, by Hetzner's catalogue as its API told it on ${date}. Traffic beyond what is included is not in it.`,
    details(
      'What costs what',
      table(
        ['Resource', 'What', 'Before', 'After'],
        cost.lines.map((line) => [
          `\`${line.address}\``,
          line.what,
          money(line.before),
          money(line.after),
        ]),
      ),
    ),
  ];
  if (cost.unpriced.length > 0) {
    lines.push(`⚠️ Not in the catalogue, so not in the sum: ${cost.unpriced.join(', ')}`);
  }
  return lines.join('\n\n');
}
