import { escapeHtml } from '../../lib/report/markdown.ts';

/** What is told, as Block Kit: built in code from data, so that no text can break it. */

export const TEMPLATES = ['deploy', 'rollback', 'migration', 'plan', 'custom'] as const;
export const STATUSES = ['started', 'progress', 'success', 'failure', 'cancelled'] as const;

export interface News {
  template: (typeof TEMPLATES)[number];
  status: (typeof STATUSES)[number];
  title: string | undefined;
  text: string | undefined;
  fields: Record<string, string>;
  run: RunFacts;
}

/** Where the news comes from, out of the runner's environment. */
export interface RunFacts {
  repository: string;
  workflow: string;
  actor: string;
  /** Branch or tag. */
  ref: string;
  commit: string;
  url: string;
}

export interface Message {
  /** What a notification and a screen reader say. */
  text: string;
  blocks: Block[];
}

type Text = { type: 'plain_text' | 'mrkdwn'; text: string };
export type Block =
  | { type: 'header'; text: Text }
  | { type: 'section'; text: Text }
  | { type: 'section'; fields: Text[] }
  | { type: 'context'; elements: Text[] };

const SIGN: Record<News['status'], string> = {
  started: '🚀',
  progress: '⏳',
  success: '✅',
  failure: '❌',
  cancelled: '🚫',
};

const SUBJECT: Record<News['template'], string> = {
  deploy: 'Deployment',
  rollback: 'Rollback',
  migration: 'Database migration',
  plan: 'Infrastructure plan',
  custom: 'Run',
};

const STATE: Record<News['status'], string> = {
  started: 'started',
  progress: 'is under way',
  success: 'succeeded',
  failure: 'failed',
  cancelled: 'was cancelled',
};

/** Limits of https://docs.slack.dev/reference/block-kit/blocks, in characters. */
const LIMIT = { header: 150, section: 3000, field: 2000 };

export function messageOf(news: News): Message {
  const headline = news.title ?? `${SUBJECT[news.template]} ${STATE[news.status]}`;
  const signed = `${SIGN[news.status]} ${headline}`;
  const fields = Object.entries(news.fields);
  return {
    text: signed,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(signed, LIMIT.header) } },
      ...(news.text ? [section(news.text)] : []),
      ...(fields.length > 0 ? [columns(fields)] : []),
      { type: 'context', elements: [{ type: 'mrkdwn', text: origin(news.run) }] },
    ],
  };
}

function section(text: string): Block {
  return { type: 'section', text: { type: 'mrkdwn', text: cut(escapeHtml(text), LIMIT.section) } };
}

function columns(fields: [string, string][]): Block {
  return {
    type: 'section',
    fields: fields.map(([name, value]) => ({
      type: 'mrkdwn',
      text: cut(`*${escapeHtml(name)}*\n${escapeHtml(value)}`, LIMIT.field),
    })),
  };
}

function origin(run: RunFacts): string {
  const at = run.commit ? `\`${run.commit.slice(0, 7)}\` on ` : '';
  const where = `${at}${escapeHtml(run.ref)} of ${escapeHtml(run.repository)}`;
  return `<${run.url}|${escapeHtml(run.workflow)}> · ${where} · by ${escapeHtml(run.actor)}`;
}

/** Not in the midst of a sign, nor of one that is escaped: Slack would take half of either for nothing. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$|&[a-z]{0,3}$/, '')}…`;
}
