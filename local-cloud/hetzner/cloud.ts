import type { Instance } from '../instance.ts';
import type { Machinery } from '../machinery.ts';
import { Actions, presentAction } from './actions.ts';
import { catalogueRoutes } from './catalogue-routes.ts';
import { listActions } from './collection.ts';
import { ApiError } from './errors.ts';
import { Faults } from './faults.ts';
import { firewallJobs } from './firewall-jobs.ts';
import { firewallRoutes } from './firewalls.ts';
import { idOf, ok, type Route } from './http.ts';
import { loadBalancerJobs } from './load-balancer-jobs.ts';
import { loadBalancerRoutes } from './load-balancers.ts';
import { networkJobs } from './network-jobs.ts';
import { networkRoutes } from './networks.ts';
import { placementGroupRoutes } from './placement-groups.ts';
import { Policies } from './policies.ts';
import { primaryIpJobs } from './primary-ip-jobs.ts';
import { primaryIpRoutes } from './primary-ips.ts';
import { protectionJobs, protectionRoutes } from './protection.ts';
import { serverJobs } from './server-jobs.ts';
import { serverRoutes } from './servers.ts';
import type { Cloud, Site } from './site.ts';
import { sshKeyRoutes } from './ssh-keys.ts';
import { volumeJobs } from './volume-jobs.ts';
import { volumeRoutes } from './volumes.ts';
import { openWorld, saveWorld } from './world.ts';

/** Opens the world and everything that acts on it. */
export function openCloud(instance: Instance, machinery: Machinery, worldFile: string): Cloud {
  const world = openWorld(worldFile);
  const site: Site = {
    instance,
    world,
    machinery,
    policies: new Policies(world, machinery),
    faults: new Faults(),
    save: () => saveWorld(worldFile, world),
  };
  const actions = new Actions(site, [
    ...firewallJobs,
    ...loadBalancerJobs,
    ...networkJobs,
    ...primaryIpJobs,
    ...protectionJobs,
    ...serverJobs,
    ...volumeJobs,
  ]);
  return { ...site, actions };
}

/** Every call that is served, below `/v1`. */
export function apiRoutes(cloud: Cloud): Route[] {
  return [
    ...actionRoutes(cloud),
    ...catalogueRoutes(),
    ...sshKeyRoutes(cloud),
    ...networkRoutes(cloud),
    ...firewallRoutes(cloud),
    ...placementGroupRoutes(cloud),
    ...primaryIpRoutes(cloud),
    ...serverRoutes(cloud),
    ...volumeRoutes(cloud),
    ...loadBalancerRoutes(cloud),
    ...protectionRoutes(cloud),
  ];
}

function actionRoutes({ world }: Cloud): Route[] {
  return [
    {
      method: 'GET',
      path: '/actions',
      handle: ({ query }) => listActions(world.actions, query),
    },
    {
      method: 'GET',
      path: '/actions/:id',
      handle(request) {
        const action = world.actions.find(({ id }) => id === idOf(request));
        if (!action) throw new ApiError('not_found', 'action not found');
        return ok({ action: presentAction(action) });
      },
    },
  ];
}
