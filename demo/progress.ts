import { stripVTControlCharacters } from 'node:util';
import { elapsed } from '../lib/report/markdown.ts';
import type { LogEntry } from './workflow.ts';

export interface JobRecord {
  id: string;
  name: string;
  start: number;
  end: number;
  result: string;
  /** Markdown of its steps' summaries, in order. */
  summaries: string[];
  errors: string[];
}

/** A job that says nothing for so long is asked what it is at. */
const SILENCE_MS = 15_000;

/** A job as its workflow calls it: act puts the workflow before the name, and pads it. */
export function jobName({ job = '' }: LogEntry): string {
  return job.replace(/^[^/]*\//, '').trim();
}

/** Follows a run: who is at what, since when; and keeps what the report needs. */
export class Progress {
  readonly jobs = new Map<string, JobRecord>();
  readonly #print: (line: string) => void;
  readonly #begun = Date.now();
  /** Job → the last line of its running step, and when something of the job was last shown. */
  readonly #latest = new Map<string, { line: string; shown: number }>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  take(entry: LogEntry): void {
    if (entry.job === undefined) {
      if (entry.level === 'error' || entry.level === 'fatal') this.#say('', entry.msg.trim());
      return;
    }
    const job = this.#job(entry);
    job.end = Date.parse(entry.time);
    if (entry.command === 'summary' && entry.content) job.summaries.push(entry.content);
    if (entry.command === 'error') {
      job.errors.push(entry.arg ?? entry.msg);
      this.#say(job.name, `❌ ${entry.arg ?? entry.msg}`);
    }
    if (entry.raw_output && plain(entry.msg) !== '') this.#note(job.name, plain(entry.msg));
    if (entry.stepResult !== undefined && entry.stage === 'Main') {
      this.#say(job.name, `${entry.stepResult === 'success' ? '✓' : '✗'} ${entry.step ?? ''}`);
    }
    if (entry.jobResult !== undefined) job.result = entry.jobResult;
  }

  /** Shows what the jobs that were silent for long are at; to be called every now and then. */
  tick(now = Date.now()): void {
    for (const job of this.jobs.values()) {
      const { line, shown } = this.#latest.get(job.name) ?? { line: '', shown: now };
      if (job.result === '' && now - shown >= SILENCE_MS) this.#say(job.name, `… ${line}`);
    }
  }

  #note(job: string, line: string): void {
    const shown = this.#latest.get(job)?.shown ?? Date.now();
    this.#latest.set(job, { line: line.length > 90 ? `${line.slice(0, 89)}…` : line, shown });
  }

  #job(entry: LogEntry): JobRecord {
    const name = jobName(entry);
    const known = this.jobs.get(name);
    if (known) return known;
    const start = Date.parse(entry.time);
    const job = {
      id: entry.jobID ?? name,
      name,
      start,
      end: start,
      result: '',
      summaries: [],
      errors: [],
    };
    this.jobs.set(name, job);
    this.#say(name, 'started');
    return job;
  }

  #say(job: string, text: string): void {
    this.#latest.set(job, { line: this.#latest.get(job)?.line ?? '', shown: Date.now() });
    const time = elapsed(Date.now() - this.#begun).padStart(13);
    for (const line of text.split('\n')) this.#print(`${time}  ${job.padEnd(32)}  ${line}`);
  }
}

/** Without colours, which a line cut short would leave on. */
function plain(text: string): string {
  return stripVTControlCharacters(text).trim();
}
