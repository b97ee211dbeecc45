import { z } from 'zod';
import { presentAction } from './actions.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, parseBody } from './errors.ts';
import { applyFirewall, removeFirewall, setFirewallRules } from './firewall-jobs.ts';
import {
  readRule,
  readTarget,
  requireApplicable,
  requireApplied,
  resourceSchema,
  ruleSchema,
} from './firewall-rules.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema, parseSelector } from './labels.ts';
import type { Firewall, FirewallTarget, Reference } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, remove, requireUniqueName } from './world.ts';

const createSchema = z.object({
  name: z.string().min(1).max(64),
  rules: z.array(ruleSchema).max(50).default([]),
  apply_to: z.array(resourceSchema).default([]),
  labels: labelsSchema.default({}),
});
const setRulesSchema = z.object({ rules: z.array(ruleSchema).max(50) });
const applySchema = z.object({ apply_to: z.array(resourceSchema).min(1) });
const removeSchema = z.object({ remove_from: z.array(resourceSchema).min(1) });

export function firewallRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const present = (firewall: Firewall) => presentFirewall(cloud, firewall);
  const firewallOf = (request: Parameters<typeof idOf>[0]) =>
    find(world, 'firewall', idOf(request));
  const apply = (firewall: Firewall, targets: FirewallTarget[]) =>
    targets.map((target) =>
      actions.start(applyFirewall, references(firewall, target), { id: firewall.id, target }),
    );
  return [
    ...collectionRoutes(cloud, { kind: 'firewall', present }),
    {
      method: 'POST',
      path: '/firewalls',
      handle({ body }) {
        const wanted = parseBody(createSchema, body);
        requireUniqueName(world, 'firewall', wanted.name);
        const firewall: Firewall = {
          id: newId(world),
          name: wanted.name,
          labels: wanted.labels,
          created: new Date().toISOString(),
          rules: wanted.rules.map(readRule),
          appliedTo: [],
        };
        const targets = wanted.apply_to.map(readTarget);
        for (const target of targets) requireApplicable(cloud, firewall, target);
        world.records.firewall.push(firewall);
        const started = apply(firewall, targets);
        return created({ firewall: present(firewall), actions: started.map(presentAction) });
      },
    },
    {
      method: 'DELETE',
      path: '/firewalls/:id',
      handle(request) {
        const firewall = firewallOf(request);
        if (firewall.appliedTo.length > 0) {
          throw new ApiError('resource_in_use', 'firewall is still applied to a resource');
        }
        remove(world, 'firewall', firewall.id);
        return noContent();
      },
    },
    {
      method: 'POST',
      path: '/firewalls/:id/actions/set_rules',
      handle(request) {
        const firewall = firewallOf(request);
        const rules = parseBody(setRulesSchema, request.body).rules.map(readRule);
        const started = actions.start(setFirewallRules, [{ id: firewall.id, type: 'firewall' }], {
          id: firewall.id,
          rules,
        });
        return created({ actions: [presentAction(started)] });
      },
    },
    {
      method: 'POST',
      path: '/firewalls/:id/actions/apply_to_resources',
      handle(request) {
        const firewall = firewallOf(request);
        const targets = parseBody(applySchema, request.body).apply_to.map(readTarget);
        for (const target of targets) requireApplicable(cloud, firewall, target);
        return created({ actions: apply(firewall, targets).map(presentAction) });
      },
    },
    {
      method: 'POST',
      path: '/firewalls/:id/actions/remove_from_resources',
      handle(request) {
        const firewall = firewallOf(request);
        const targets = parseBody(removeSchema, request.body).remove_from.map(readTarget);
        for (const target of targets) requireApplied(cloud, firewall, target);
        const started = targets.map((target) =>
          actions.start(removeFirewall, references(firewall, target), {
            id: firewall.id,
            target,
          }),
        );
        return created({ actions: started.map(presentAction) });
      },
    },
  ];
}

function references(firewall: Firewall, target: FirewallTarget): Reference[] {
  const own: Reference = { id: firewall.id, type: 'firewall' };
  return target.type === 'server' ? [own, { id: target.server, type: 'server' }] : [own];
}

function presentFirewall({ world }: Cloud, firewall: Firewall) {
  const { id, name, labels, created } = firewall;
  return {
    id,
    name,
    labels,
    created,
    rules: firewall.rules.map(({ sourceIps, destinationIps, ...rule }) => ({
      ...rule,
      source_ips: sourceIps,
      destination_ips: destinationIps,
    })),
    applied_to: firewall.appliedTo.map((target) => {
      if (target.type === 'server') return { type: 'server', server: { id: target.server } };
      const matches = parseSelector(target.selector);
      return {
        type: 'label_selector',
        label_selector: { selector: target.selector },
        applied_to_resources: world.records.server
          .filter((server) => matches(server.labels))
          .map((server) => ({ type: 'server', server: { id: server.id } })),
      };
    }),
  };
}
