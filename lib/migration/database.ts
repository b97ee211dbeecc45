import type { Connection, Conversation } from '../ssh/connection.ts';

export type Server = Pick<Connection, 'exec' | 'converse'>;

/** The database server's own psql, as its superuser over the local socket; SQL by standard input. */
export class Database {
  readonly #server: Server;
  readonly port: number;

  constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Rows of one query, columns separated by tabs. */
  async query(database: string, sql: string): Promise<string[][]> {
    const { stdout } = await this.#server.exec(this.#psql(database), {
      input: sql,
      timeoutMs: 10 * 60_000,
    });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  }

  /** The one value of a query that answers with JSON. */
  async json(database: string, sql: string): Promise<unknown> {
    const [row] = await this.query(database, sql);
    return JSON.parse(row?.[0] ?? 'null');
  }

  /** A session that stays until it is ended, or the connection to the server breaks. */
  session(database: string, onRow: (columns: string[]) => void): Promise<Conversation> {
    return this.#server.converse(this.#psql(database), (line) => onRow(line.split('\t')));
  }

  #psql(database: string): string[] {
    return [
      'sudo',
      '-n',
      '-u',
      'postgres',
      'psql',
      '--no-psqlrc',
      '--quiet',
      '--tuples-only',
      '--no-align',
      '--field-separator=\t',
      '--set=ON_ERROR_STOP=1',
      `--port=${this.port}`,
      `--dbname=${database}`,
    ];
  }
}
