/** A migration that must not happen, or did not: says why, and what to do. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused';
}
