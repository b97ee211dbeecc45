import type { Instance } from '../instance.ts';
import type { Machinery } from '../machinery.ts';
import type { Abilities } from './abilities.ts';
import type { Actions } from './actions.ts';
import type { Faults } from './faults.ts';
import type { Policies } from './policies.ts';
import type { World } from './world.ts';

/** What a running action may touch. */
export interface Site {
  instance: Instance;
  world: World;
  machinery: Machinery;
  policies: Policies;
  faults: Faults;
  abilities: Abilities;
  /** Writes the world to disk. */
  save(): void;
}

/** What a request may touch: the site, and the actions it can start on it. */
export interface Cloud extends Site {
  actions: Actions;
}
