import { appendFileSync, existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import * as core from '@actions/core';
import { cutToBytes } from '../report/markdown.ts';
import { Redactor } from './secrets.ts';

/** What an action may ask of the GitHub runner. Logic receives it as an argument. */
export interface Runner {
  /** The raw input, trimmed; '' when it was not given. */
  input(name: string): string;
  /** Registers a secret: masked in the log from here on, redacted in everything below. */
  mask(secret: string): void;
  redact(text: string): string;
  info(line: string): void;
  notice(message: string, at?: Annotation): void;
  warning(message: string, at?: Annotation): void;
  error(message: string, at?: Annotation): void;
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
  output(name: string, value: string | number | boolean): void;
  /** Carried from the main step to its post step; never a secret, as the runner keeps it in clear. */
  saveState(name: string, value: string): void;
  state(name: string): string;
  /** Appends Markdown to the job summary. */
  summary(markdown: string): void;
  /** RUNNER_TEMP: emptied by the runner before and after each job. */
  readonly temp: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Where in the repository an annotation belongs. */
export interface Annotation {
  title?: string;
  file?: string;
  startLine?: number;
  endLine?: number;
}

/** GitHub rejects a step's summary beyond 1024 KiB, the whole of it. */
const SUMMARY_LIMIT = 1_000_000;
const SUMMARY_CUT = '_The rest is left out: GitHub shows no longer summary._\n';

/**
 * The real runner, over @actions/core and the runner's command files.
 *
 * Everything that leaves through it is redacted, as the runner itself masks only its log.
 */
export function githubRunner(env: NodeJS.ProcessEnv = process.env): Runner {
  const redactor = new Redactor();
  let summaryBytes = 0;
  const redact = (text: string) => redactor.redact(text);
  return {
    input: (name) => core.getInput(name),
    mask(secret) {
      // Not of several lines: the runner would take each of them, down to a lone brace; the longer
      // ones are among the forms themselves.
      for (const form of redactor.add(secret)) if (!/[\r\n]/.test(form)) core.setSecret(form);
    },
    redact,
    info: (line) => core.info(withoutCommands(redact(line))),
    notice: (message, at) => core.notice(redact(message), at),
    warning: (message, at) => core.warning(redact(message), at),
    error: (message, at) => core.error(redact(message), at),
    group: (title, body) => core.group(redact(title), body),
    output(name, value) {
      const text = String(value);
      core.setOutput(name, isPlace(text) ? text : redact(text));
    },
    saveState: (name, value) => core.saveState(name, value),
    state: (name) => core.getState(name),
    summary(markdown) {
      const file = env.GITHUB_STEP_SUMMARY;
      if (!file || summaryBytes >= SUMMARY_LIMIT) return;
      const whole = `${redact(markdown)}\n`;
      const text = cutToBytes(whole, SUMMARY_LIMIT - summaryBytes, SUMMARY_CUT);
      summaryBytes += Buffer.byteLength(whole);
      appendFileSync(file, text);
    },
    temp: env.RUNNER_TEMP ?? '/tmp',
    env,
  };
}

/**
 * What a tool or a server printed is no word of ours: the runner takes `::set-output …` at the start
 * of a line for one, and `##[…]` wherever it stands.
 */
function withoutCommands(text: string): string {
  return text.replaceAll(/^([^\S\r\n]*:)(?=:)/gm, '$1 ').replaceAll('##[', '## [');
}

/**
 * Whether it is the path of something that is there. A secret may be an everyday word, as the user
 * `runner` or a label `terraform`: a path that was redacted for it would lead the next step nowhere.
 */
function isPlace(text: string): boolean {
  return isAbsolute(text) && existsSync(text);
}
