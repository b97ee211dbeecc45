import type { Instance } from '../instance.ts';
import type { Machinery } from '../machinery.ts';
import { type Abilities, HARDWARE } from './abilities.ts';
import { Actions } from './actions.ts';
import { catalogueRoutes } from './catalogue-routes.ts';
import { certificateRoutes } from './certificates.ts';
import { getAction, listActions } from './collection.ts';
import { Faults } from './faults.ts';
import { firewallJobs } from './firewall-jobs.ts';
import { firewallRoutes } from './firewalls.ts';
import { floatingIpJobs } from './floating-ip-jobs.ts';
import { floatingIpRoutes } from './floating-ips.ts';
import { idOf, type Route } from './http.ts';
import { createImage, imageRoutes } from './images.ts';
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

export interface CloudOptions {
  instance: Instance;
  machinery: Machinery;
  /** Where the state lives. */
  worldFile: string;
  /** What the machinery can do; by default, what `local-cloud/hardware` can. */
  abilities?: Abilities;
}

/** Opens the world and everything that acts on it. */
export function openCloud({
  instance,
  machinery,
  worldFile,
  abilities = HARDWARE,
}: CloudOptions): Cloud {
  const world = openWorld(worldFile);
  const site: Site = {
    instance,
    world,
    machinery,
    policies: new Policies(world, machinery),
    faults: new Faults(),
    abilities,
    save: () => saveWorld(worldFile, world),
  };
  const actions = new Actions(site, [
    createImage,
    ...firewallJobs,
    ...loadBalancerJobs,
    ...floatingIpJobs,
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
    ...imageRoutes(cloud),
    ...certificateRoutes(cloud),
    ...sshKeyRoutes(cloud),
    ...networkRoutes(cloud),
    ...firewallRoutes(cloud),
    ...placementGroupRoutes(cloud),
    ...primaryIpRoutes(cloud),
    ...floatingIpRoutes(cloud),
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
      handle: (request) => getAction(world.actions, idOf(request)),
    },
  ];
}
