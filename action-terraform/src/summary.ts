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
import type { Violation } from './policy.ts';
import { withoutSensitive } from './sensitive.ts';

const SIGN: Record<Kind, string> = {
  delete: '🔴 destroy',
  replace: '🔴 replace',
  update: '🟡 change',
  import: '🔵 adopt',
  create: '🟢 create',
  forget: '⚪ forget',
  move: '⚪ move',
  none: '',
};
/** What a reviewer must not overlook comes first. */
const ORDER: Kind[] = ['delete', 'replace', 'forget', 'import', 'update', 'create', 'move'];

export interface PlanReport {
  environment: string;
  plan: Plan;
  digest: string;
  cost: Cost | undefined;
  /** Destroys that `allow-destroy` does not cover. */
  forbidden: readonly string[];
  violations: readonly Violation[];
  /** What a reviewer should know and the plan does not say. */
  warnings: readonly string[];
  kind: 'plan' | 'drift';
  /** Takes known secrets out of a value before it is shortened or escaped. */
  redact: (text: string) => string;
}

/** GitHub keeps 1 MiB of summary for a step, other steps' parts apart. */
const SUMMARY_LIMIT = 900_000;
/** A comment has 65,536 characters; what others append to it counts as well. */
const COMMENT_LIMIT = 60_000;

/** Everything, with the values that change, however long. */
export function planReport(report: PlanReport): string {
  return whole(report, true);
}

/** The job summary: the same, as far as GitHub shows it. */
export function planSummary(report: PlanReport): string {
  return cutToBytes(
    planReport(report),
    SUMMARY_LIMIT,
    '_The rest was too long for here: it is in the file that output `report-file` names._',
  );
}

/** The pull request's comment: values only where they were asked for, as anybody may read it. */
export function planComment(report: PlanReport, values: boolean): string {
  return cutToBytes(
    whole(report, values),
    COMMENT_LIMIT,
    "_The rest was too long for a comment: it is in the job's summary, and in the file that output `report-file` names._",
  );
}

function whole(report: PlanReport, values: boolean): string {
  const parts = [
    headline(report),
    forbiddenPart(report.forbidden),
    violationsPart(report.violations),
    ...report.warnings.map((warning) => `⚠️ ${warning}`),
    changesPart(report, values),
  ];
  if (report.cost) parts.push(costPart(report.cost));
  parts.push(`Digest of the changes: \`${report.digest.slice(0, 16)}\``);
  return parts.filter((part) => part !== '').join('\n\n');
}

function headline({ environment, plan, forbidden, violations, kind }: PlanReport): string {
  const counts = countsOf(plan);
  const refused = forbidden.length + violations.length > 0;
  if (!counts.changes && !refused) {
    const nothing = kind === 'drift' ? 'has not drifted' : 'is as planned: no changes';
    return verdict('unchanged', `${environment} ${nothing}`);
  }
  const sentence = `${kind === 'drift' ? 'drifted' : 'plan'}: ${countSentence(counts)}`;
  const kindOfVerdict: Verdict = refused
    ? 'failed'
    : counts.destroy > 0 || kind === 'drift'
      ? 'warning'
      : 'passed';
  return verdict(kindOfVerdict, `${environment} ${sentence}`);
}

export function countSentence({ add, change, destroy, import: adopted, move }: Counts): string {
  const parts = [`${add} to add`, `${change} to change`, `${destroy} to destroy`];
  if (adopted > 0) parts.unshift(`${adopted} to adopt`);
  if (move > 0) parts.push(`${move} to move`);
  return parts.join(', ');
}

function forbiddenPart(forbidden: readonly string[]): string {
  if (forbidden.length === 0) return '';
  const list = forbidden.map((address) => `- \`${address}\``).join('\n');
  return `**Not allowed.** These would be destroyed, and \`allow-destroy\` names none of them:\n\n${list}`;
}

function violationsPart(violations: readonly Violation[]): string {
  if (violations.length === 0) return '';
  const list = violations.map(
    ({ rule, address, problem }) => `- \`${address}\`: ${problem} (${rule})`,
  );
  return `**Against the policy.**\n\n${list.join('\n')}`;
}

function changesPart({ plan, redact }: PlanReport, values: boolean): string {
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
      [
        ...(change.movedFrom === undefined ? [] : [`moved from \`${change.movedFrom}\``]),
        ...(kind === 'create' || kind === 'delete' ? [] : attributesOf(change, redact, values)),
      ].join('\n'),
    ]),
  );
}

/** "server_type: cpx22 → cpx32" for each attribute that changes; sensitive ones by name only. */
function attributesOf(change: Change, redact: (text: string) => string, values: boolean): string[] {
  const text = (value: unknown) => shortened(redact(shown(value)));
  const before = asRecord(withoutSensitive(change.before, change.before_sensitive));
  const after = asRecord(withoutSensitive(change.after, change.after_sensitive));
  const unknown = asRecord(change.after_unknown);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((name) => unknown[name] === true || shown(before[name]) !== shown(after[name]))
    .map((name) => {
      if (!values) return name;
      if (unknown[name] === true) return `${name}: known after apply`;
      return `${name}: ${text(before[name])} → ${text(after[name])}`;
    });
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function shortened(text: string): string {
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
