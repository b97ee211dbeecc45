import { describe, expect, it } from '@jest/globals';
import { blocksOf } from '../blocks.ts';
import { readmes } from '../readme.ts';

describe('the blocks of a file', () => {
  it('have their attributes on one line each, and their descriptions as prose', () => {
    const file = `
variable "servers" {
  description = <<-EOT
    The servers by name,
    \`role\` first.
  EOT
  type = map(object({
    role  = string
    image = optional(string, "debian-12")
    ports = list(number)
  }))
  default = {}

  validation {
    condition     = length(var.servers) > 0
    error_message = "Give one."
  }
}

output "note" {
  description = "Says \\"hello\\"."
  value = [
    1,
    2,
  ]
}
`;
    expect(blocksOf(file)).toEqual([
      {
        name: 'servers',
        attributes: {
          description: 'The servers by name, `role` first.',
          type: 'map(object({ role = string, image = optional(string, "debian-12"), ports = list(number) }))',
          default: '{}',
        },
      },
      { name: 'note', attributes: { description: 'Says "hello".', value: '[1, 2,]' } },
    ]);
  });
});

describe('the READMEs', () => {
  it.each(readmes())('$file says what the code says', ({ before, after }) => {
    expect(before).toBe(after);
  });
});
