import type { Job } from './actions.ts';
import type { Network, Subnet } from './resources.ts';
import { find } from './world.ts';

type Route = Network['routes'][number];

export const addSubnet: Job<{ id: number; subnet: Subnet }> = {
  name: 'network.add_subnet',
  locks: ['network'],
  async perform({ world }, { id, subnet }) {
    const network = find(world, 'network', id);
    network.subnets = [...without(network.subnets, subnet.ipRange), subnet];
  },
};

export const deleteSubnet: Job<{ id: number; ipRange: string }> = {
  name: 'network.delete_subnet',
  locks: ['network'],
  async perform({ world }, { id, ipRange }) {
    const network = find(world, 'network', id);
    network.subnets = without(network.subnets, ipRange);
  },
};

export const addRoute: Job<{ id: number; route: Route }> = {
  name: 'network.add_route',
  locks: ['network'],
  async perform({ world }, { id, route }) {
    const network = find(world, 'network', id);
    network.routes = [...withoutRoute(network.routes, route), route];
  },
};

export const deleteRoute: Job<{ id: number; route: Route }> = {
  name: 'network.delete_route',
  locks: ['network'],
  async perform({ world }, { id, route }) {
    const network = find(world, 'network', id);
    network.routes = withoutRoute(network.routes, route);
  },
};

export const changeIpRange: Job<{ id: number; ipRange: string }> = {
  name: 'network.change_ip_range',
  locks: ['network'],
  async perform({ world, machinery }, { id, ipRange }) {
    if (world.realizedNetwork === id) await machinery.setPrivateNetwork(ipRange);
    find(world, 'network', id).ipRange = ipRange;
  },
};

export const networkJobs = [addSubnet, deleteSubnet, addRoute, deleteRoute, changeIpRange];

function without(subnets: Subnet[], ipRange: string): Subnet[] {
  return subnets.filter((subnet) => subnet.ipRange !== ipRange);
}

function withoutRoute(routes: Route[], route: Route): Route[] {
  return routes.filter(
    ({ destination, gateway }) => destination !== route.destination || gateway !== route.gateway,
  );
}
