import type { Job } from './actions.ts';
import type { FirewallRule, FirewallTarget } from './resources.ts';
import { find } from './world.ts';

/** Firewalls take several changes at once: each ends with the whole policy enforced. */
export const setFirewallRules: Job<{ id: number; rules: FirewallRule[] }> = {
  name: 'firewall.set_firewall_rules',
  locks: [],
  async perform({ world, policies }, { id, rules }) {
    find(world, 'firewall', id).rules = rules;
    await policies.enforce();
  },
};

export const applyFirewall: Job<{ id: number; target: FirewallTarget }> = {
  name: 'firewall.apply_firewall',
  locks: [],
  async perform({ world, policies }, { id, target }) {
    const firewall = find(world, 'firewall', id);
    firewall.appliedTo = [...without(firewall.appliedTo, target), target];
    await policies.enforce();
  },
};

export const removeFirewall: Job<{ id: number; target: FirewallTarget }> = {
  name: 'firewall.remove_firewall',
  locks: [],
  async perform({ world, policies }, { id, target }) {
    const firewall = find(world, 'firewall', id);
    firewall.appliedTo = without(firewall.appliedTo, target);
    await policies.enforce();
  },
};

export const firewallJobs = [setFirewallRules, applyFirewall, removeFirewall];

export function isSameTarget(a: FirewallTarget, b: FirewallTarget): boolean {
  if (a.type === 'server') return b.type === 'server' && a.server === b.server;
  return b.type === 'label_selector' && a.selector === b.selector;
}

function without(targets: FirewallTarget[], target: FirewallTarget): FirewallTarget[] {
  return targets.filter((other) => !isSameTarget(other, target));
}
