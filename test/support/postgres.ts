/** A real PostgreSQL server of a test's own, on loopback, from Debian's package. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { debianPackages } from './debian-packages.ts';
import { temporaryFolder } from './temporary-folder.ts';

const root = '/usr/lib/postgresql';

/** Why tests that need it cannot run here; `null` if they can. */
export async function postgresMissing(): Promise<string | null> {
  return debianPackages({ postgresql: ['sh', '-c', `ls ${root}/*/bin/initdb && id postgres`] });
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

export class Postgres {
  readonly port: number;
  readonly #data: string;
  readonly #bin: string;

  private constructor(port: number, data: string, bin: string) {
    this.port = port;
    this.#data = data;
    this.#bin = bin;
  }

  /** A new cluster whose superuser `postgres` has this password. */
  static async start(password: string): Promise<Postgres> {
    const [newest = ''] = readdirSync(root).sort().reverse();
    const bin = path.join(root, newest, 'bin');
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const data = path.join(folder, 'data');
    mkdirSync(data);
    const passwordFile = path.join(folder, 'password');
    writeFileSync(passwordFile, password);
    const uid = Number(execFileSync('id', ['-u', 'postgres']).toString());
    if (process.getuid?.() === 0) for (const one of [data, passwordFile]) chownSync(one, uid, -1);
    const postgres = new Postgres(await freePort(), data, bin);
    postgres.#run(
      'initdb',
      '-D',
      data,
      '-U',
      'postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--no-sync',
    );
    const options = `-p ${postgres.port} -k ${data} -c listen_addresses=127.0.0.1 -c fsync=off`;
    postgres.#run('pg_ctl', '-w', '-D', data, '-l', path.join(data, 'log'), '-o', options, 'start');
    return postgres;
  }

  /** It refuses the superuser's work for itself. */
  #run(program: string, ...args: readonly string[]): void {
    const command = [path.join(this.#bin, program), ...args];
    const [file = '', ...rest] =
      process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--', ...command] : command;
    execFileSync(file, rest, { cwd: '/', stdio: ['ignore', 'ignore', 'ignore'] });
  }

  /** What psql is told to connect as somebody. */
  environment(user: string, password: string): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      PGHOST: '127.0.0.1',
      PGPORT: String(this.port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: 'postgres',
    };
  }

  sql(user: string, password: string, statement: string): string {
    const env = this.environment(user, password);
    return execFileSync('psql', ['-XAtqc', statement], { env, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  }

  /** Let a role in without a password; `null`: nobody any more. */
  trust(role: string | null): void {
    const file = path.join(this.#data, 'pg_hba.conf');
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !line.endsWith(' trust # by a test'));
    if (role !== null) lines.unshift(`host all ${role} 127.0.0.1/32 trust # by a test`);
    writeFileSync(file, lines.join('\n'));
    this.#run('pg_ctl', '-D', this.#data, 'reload');
  }

  /** What the server has written to its log. */
  log(): string {
    return readFileSync(path.join(this.#data, 'log'), 'utf8');
  }

  /** From now on also TLS, with a certificate for this name and address. @returns its file: it vouches for itself */
  useTls(name: string, address: string): string {
    const [key, certificate] = [path.join(this.#data, 'server.key'), path.join(this.#data, 'server.crt')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    ];
    const names = ['-addext', `subjectAltName=DNS:${name},IP:${address}`];
    execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    chmodSync(key, 0o600);
    const uid = Number(execFileSync('id', ['-u', 'postgres']).toString());
    if (process.getuid?.() === 0) for (const file of [key, certificate]) chownSync(file, uid, -1);
    const options = `-p ${this.port} -k ${this.#data} -c listen_addresses=127.0.0.1,::1 -c fsync=off -c ssl=on`;
    this.#run('pg_ctl', '-w', '-D', this.#data, '-l', path.join(this.#data, 'log'), '-o', options, 'restart');
    return certificate;
  }

  /** Whether somebody can log in by this password. */
  accepts(user: string, password: string): boolean {
    try {
      return this.sql(user, password, 'select 1') === '1\n';
    } catch {
      return false;
    }
  }

  stop(): void {
    if (existsSync(path.join(this.#data, 'postmaster.pid')))
      this.#run('pg_ctl', '-w', '-D', this.#data, '-m', 'immediate', 'stop');
  }
}
