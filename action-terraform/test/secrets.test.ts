import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { unzipSync } from 'fflate';
import { formsOf } from '../../lib/runner/secrets.ts';
import { goJson } from '../src/sensitive.ts';
import { startComments } from './github-comments.ts';
import { writeModule } from './tiny.ts';
import { type Result, startWorld, type World } from './world.ts';

/** Forty secrets where secrets are: variables, outputs, state, and what an error repeats. */
const CODE = `terraform {
  backend "s3" {
    key                         = "secrets/terraform.tfstate"
    region                      = "fsn1"
    use_path_style              = true
    use_lockfile                = true
    skip_s3_checksum            = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = ">= 1.68.0, < 2.0.0"
    }
  }
}

# Terraform takes these for ordinary values, and shows them.
variable "plain" {
  type = map(string)
}

variable "hidden" {
  type      = map(string)
  sensitive = true
}

variable "refuse" {
  type    = bool
  default = false
}

variable "wrong" {
  type    = bool
  default = false
}

resource "terraform_data" "plain" {
  input = var.plain
}

resource "terraform_data" "hidden" {
  input = var.hidden
}

# Keeps what it was made with, so that an error can repeat what only the state knows.
resource "terraform_data" "born" {
  input = var.hidden

  lifecycle {
    ignore_changes = [input]
  }
}

resource "terraform_data" "refusal" {
  lifecycle {
    precondition {
      condition     = !var.refuse
      error_message = "Refused: \${jsonencode(var.plain)} \${join(" ", values(nonsensitive(terraform_data.born.input)))}"
    }
  }
}

# The provider repeats each range that is none.
resource "hcloud_network" "wrong" {
  for_each = var.wrong ? nonsensitive(toset(keys(var.hidden))) : []
  name     = each.key
  ip_range = var.hidden[each.key]
}

output "plain" {
  value = var.plain
}

output "hidden" {
  value     = var.hidden
  sensitive = true
}
`;

/** Ten kinds, as tokens, passwords and keys are; the number makes each another one. */
const KINDS: ((n: number) => string)[] = [
  (n) => `ghp_${String(n).padStart(4, '0')}abcdefghijklmnop`,
  (n) => `quote"back\\slash${n}`,
  (n) => `pipe|and|<angle>&amp${n}`,
  (n) => `dollar\${brace}%{percent}${n}`,
  (n) =>
    `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN${n}BgkqhkiG9w0B\nAQEFAASCBKcw${n}ggSjAgEA\n-----END PRIVATE KEY-----\n`,
  (n) => `postgres://user:p%40ss${n}@db/compta?ssl=1`,
  (n) => `clé-secrète-${n}-été`,
  (n) => `{"token":"inner-${n}-value"}`,
  (n) => Buffer.from(`binary-${n}-binary`).toString('base64'),
  (n) => `long-${n}-${'x'.repeat(120)}-end`,
];
const secrets = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => KINDS[i % KINDS.length]?.(from + i) ?? '');
const asMap = (values: string[]) => Object.fromEntries(values.map((value, i) => [`k${i}`, value]));

const plain = secrets(100, 15);
const first = secrets(200, 15);
const rotated = secrets(300, 10);
const planted = [...plain, ...first, ...rotated];

let world: World;
let github: Awaited<ReturnType<typeof startComments>>;
const written: string[] = [];
const traces: string[] = [];
beforeAll(async () => {
  world = await startWorld();
  github = await startComments();
  writeModule(world.folder, 'terraform/secrets', CODE);
  writeFileSync(join(world.folder, 'event.json'), JSON.stringify({ pull_request: { number: 7 } }));
}, 180_000);
afterAll(async () => {
  github?.close();
  await world?.stop();
});

async function step(command: string, run: number, variables: object, more = {}): Promise<Result> {
  const trace = join(world.folder, `trace-${traces.length}`);
  const result = await world.step(
    command,
    {
      'working-directory': 'terraform/secrets',
      variables: '',
      'secret-variables': JSON.stringify(variables),
      comment: 'full',
      'github-token': 'token-of-the-job',
      ...more,
    },
    {
      run,
      trace,
      env: {
        GITHUB_EVENT_PATH: join(world.folder, 'event.json'),
        GITHUB_API_URL: github.url,
      },
    },
  );
  traces.push(readFileSync(trace, 'utf8'));
  // GitHub's runner keeps the masks themselves out of its log.
  const log = result.stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  written.push(log.join('\n'), result.summary, JSON.stringify(result.outputs));
  return result;
}

describe('forty secrets', () => {
  it('go through a plan, an apply, a change, a refusal and an error of the provider', async () => {
    expect(new Set(planted).size).toBe(40);
    const before = { plain: asMap(plain), hidden: asMap(first) };
    expect((await step('plan', 1, before)).stdout).not.toContain('::error');
    expect((await step('apply', 1, before)).stdout).not.toContain('::error');
    // What was hidden is in the state only from here on.
    const after = { plain: asMap(plain), hidden: asMap(rotated) };
    expect((await step('plan', 2, after)).stdout).not.toContain('::error');
    expect((await step('drift', 2, after)).stdout).toContain('has drifted');
    const refused = await step('plan', 3, after, { variables: '{"refuse": true}' });
    expect(refused.stdout).toMatch(/::error::[^\n]*\*\*\* \*\*\* \*\*\*/);
    const wrong = await step('plan', 3, after, { variables: '{"wrong": true}' });
    expect(wrong.stdout).toMatch(/invalid CIDR address: \*\*\*/);
    expect((await step('output', 3, after)).outputs['outputs-file']).toBeDefined();
    expect(github.comments).toHaveLength(1);
  }, 240_000);

  it('are readable in no log, summary, output or comment, in any encoding', () => {
    const everything = [...written, ...github.comments.map(({ body }) => body)].join('\n');
    expect(everything.length).toBeGreaterThan(5_000);
    for (const secret of planted) {
      for (const form of [...formsOf(secret), goJson(secret)]) {
        expect(everything).not.toContain(form);
      }
    }
  });

  it('are in no artifact', () => {
    const folder = join(world.folder, 'artifacts');
    const archives = readdirSync(folder).filter((name) => name !== 'artifacts.json');
    expect(archives.length).toBeGreaterThan(1);
    for (const archive of archives) {
      const files = Object.values(unzipSync(readFileSync(join(folder, archive))));
      const bytes = files.map((file) => Buffer.from(file).toString('latin1')).join('\n');
      expect(bytes).toContain('compta-plan-v1');
      for (const form of planted.flatMap(formsOf)) expect(bytes).not.toContain(form);
    }
  });

  it('are in no command line that strace saw', () => {
    const seen = traces.join('\n');
    expect(seen).toMatch(/execve\("[^"]*terraform", \["[^"]*terraform", "plan"/);
    for (const form of planted.flatMap(formsOf)) expect(seen).not.toContain(form);
  });
});
