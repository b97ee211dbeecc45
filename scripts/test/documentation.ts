import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked, type Token, type Tokens } from 'marked';
import { root } from './workflow-files.ts';

/** The Markdown files of the repository, as git tracks or would track them. */
export function pages(): string[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'];
  return execFileSync('git', ['-C', root, ...list], { encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

/** Every token of a page, also those inside others. */
export function tokensOf(page: string): Token[] {
  const found: Token[] = [];
  marked.walkTokens(marked.lexer(textOf(page)), (token) => {
    found.push(token);
  });
  return found;
}

/** Targets of a page's links and images. */
export function linksOf(page: string): string[] {
  return tokensOf(page)
    .filter((token): token is Tokens.Link | Tokens.Image => ['link', 'image'].includes(token.type))
    .map((token) => token.href);
}

/** The anchors that GitHub gives a page's headings. */
export function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = tokensOf(page)
    .filter((token): token is Tokens.Heading => token.type === 'heading')
    .map(({ text }) => {
      const slug = text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-');
      const times = seen.get(slug) ?? 0;
      seen.set(slug, times + 1);
      return times === 0 ? slug : `${slug}-${times}`;
    });
  return new Set(anchors);
}

/** Rows of a page's tables: the raw text of each cell. */
export function rowsOf(page: string): string[][] {
  return tokensOf(page)
    .filter((token): token is Tokens.Table => token.type === 'table')
    .flatMap(({ rows }) => rows.map((cells) => cells.map(({ text }) => text)));
}
