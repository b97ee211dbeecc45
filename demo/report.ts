import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { unzipSync } from 'fflate';
import { marked } from 'marked';
import { elapsed, escapeHtml } from '../lib/report/markdown.ts';
import { checkout } from '../local-cloud/claim.ts';
import type { JobRecord } from './progress.ts';

export interface Report {
  title: string;
  /** Lines of the closing screen. */
  facts: readonly string[];
  jobs: readonly JobRecord[];
  /** Zip of the tests' results, whose pictures are shown; undefined when the tests did not run. */
  results: string | undefined;
}

/** One HTML page out of the job summaries, in the order in which the jobs began. */
export function writeReport(report: Report, folder: string): string {
  mkdirSync(folder, { recursive: true });
  cpSync(
    join(checkout, 'node_modules/mermaid/dist/mermaid.min.js'),
    join(folder, 'mermaid.min.js'),
  );
  const pictures = report.results ? unpackPictures(report.results, folder) : [];
  const file = join(folder, 'report.html');
  writeFileSync(file, page(report, pictures));
  return file;
}

function page({ title, facts, jobs }: Report, pictures: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1b2430; }
  section { border: 1px solid #d8dee6; border-radius: 8px; padding: 0 1.25rem 1rem; margin: 1rem 0; }
  table { border-collapse: collapse; } td, th { border: 1px solid #d8dee6; padding: .25rem .6rem; text-align: left; }
  pre { background: #f5f7fa; padding: .75rem; overflow: auto; } img { max-width: 100%; border: 1px solid #d8dee6; }
  figure { margin: 1rem 0; } h2 small { color: #667; font-weight: normal; }
</style>
<h1>${escapeHtml(title)}</h1>
<pre>${escapeHtml(facts.join('\n'))}</pre>
${jobs.map(section).join('\n')}
${pictures.map(picture).join('\n')}
<script src="mermaid.min.js"></script>
<script>mermaid.initialize({ startOnLoad: true });</script>
</html>
`;
}

function section(job: JobRecord): string {
  const errors = job.errors.map((error) => `<pre>${escapeHtml(error)}</pre>`).join('');
  const time = elapsed(job.end - job.start);
  return `<section><h2>${escapeHtml(job.name)} <small>${job.result || 'not finished'}, ${time}</small></h2>
${errors}${job.summaries.map(rendered).join('\n')}</section>`;
}

/** Mermaid draws what stands in an element of its class. */
function rendered(markdown: string): string {
  const html = marked.parse(markdown, { async: false });
  return html.replaceAll(
    /<pre><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g,
    '<pre class="mermaid">$1</pre>',
  );
}

function picture(path: string): string {
  return `<figure><img src="${escapeHtml(path)}" alt=""><figcaption>${escapeHtml(path)}</figcaption></figure>`;
}

/** The screenshots of the browser tests, as paths relative to the page. */
function unpackPictures(zip: string, folder: string): string[] {
  if (!existsSync(zip)) return [];
  const found = unzipSync(readFileSync(zip), { filter: ({ name }) => name.endsWith('.png') });
  const target = join(folder, 'pictures');
  mkdirSync(target, { recursive: true });
  for (const [name, content] of Object.entries(found)) {
    writeFileSync(join(target, name.replaceAll('/', '-')), content);
  }
  return readdirSync(target).map((name) => relative(folder, join(target, name)));
}
