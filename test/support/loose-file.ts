/**
 * A vault file as plain JSON, of which anything can be changed by somebody who has everybody's keys. Everything that follows from
 * the change (signatures, digests, sizes, chains) is made anew, so that one thing alone is wrong: what was changed.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { encodeBase64url, utf8 } from '../../src/crypto/bytes.ts';
import { Domain, type Piece } from '../../src/crypto/pae.ts';
import { sign, type SigningKey } from '../../src/crypto/signature.ts';

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
export type Line = Record<string, Json>;

/** The member of an object or list at a path such as `principals.1.name`. */
function at(value: Json | undefined, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, Json>)[step] : undefined,
    value,
  );
}

export function str(value: Json | undefined): string {
  if (typeof value !== 'string') throw new Error(`not text: ${JSON.stringify(value)}`);
  return value;
}

/** Text or not: what it would be in a message that is signed. */
function worded(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

const partKinds = new Set(['names', 'values', 'changes']);

export class LooseFile {
  readonly head: Line[];
  /** Of each part, its shards, and their lines. */
  readonly body = new Map<Line, Line[][]>();
  readonly snapshot: Line;
  readonly domain: Domain;
  /** By principal; of an invitation by `invited` and a space before it. */
  readonly #keys: Map<string, SigningKey>;
  readonly #set = new Map<Line, Set<string>>();
  /** A line that somebody else signs than who it says. */
  readonly signedWith = new Map<Line, SigningKey>();
  /** Between body and snapshot. */
  appended = '';
  /** The text of the head, before its digest is made. */
  rewrite = (head: string): string | Uint8Array => head;

  constructor(path: string, keys: ReadonlyMap<string, SigningKey>) {
    const lines = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => [JSON.parse(text) as Line, Buffer.byteLength(text) + 1] as const);
    const start = lines.findIndex(([line]) => line['kind'] === 'block');
    this.head = lines.slice(0, start).map(([line]) => line);
    this.#keys = new Map(keys);
    let next = start;
    const take = (size: number): Line[] => {
      const shard: Line[] = [];
      for (let left = size; left > 0; next++) {
        const [line, length] = lines[next] ?? [{}, size];
        shard.push(line);
        left -= length;
      }
      return shard;
    };
    for (const part of this.head.filter(({ kind }) => partKinds.has(worded(kind)))) {
      const sizes = (part['shards'] as [string, number][] | undefined)?.map(([, size]) => size);
      this.body.set(part, (sizes ?? [part['size'] as number]).map(take));
    }
    this.snapshot = lines.at(-1)?.[0] ?? {};
    this.domain = new Domain(str(this.head[0]?.['id']));
  }

  /** Lines of a kind, of head and body, in the order of the file. */
  all(kind: string): Line[] {
    const lines = [...this.head, ...[...this.body.values()].flat(2), this.snapshot];
    return lines.filter((line) => line['kind'] === kind);
  }

  /** The first line of a kind which has all of these among the values of its members. */
  one(kind: string, ...having: readonly Json[]): Line {
    const found = this.all(kind).find((line) => having.every((value) => Object.values(line).includes(value)));
    if (found === undefined) throw new Error(`no ${kind} line with ${JSON.stringify(having)}`);
    return found;
  }

  get(line: Line, path: string): Json | undefined {
    return at(line, path.split('.'));
  }

  /** The member stays as it is set, even if it should follow from others. */
  set(line: Line, path: string, value: Json | undefined): void {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    const inside = at(line, steps) as Record<string, Json>;
    if (value === undefined) Reflect.deleteProperty(inside, last);
    else inside[last] = value;
    this.#set.set(line, (this.#set.get(line) ?? new Set()).add(steps[0] ?? last));
  }

  /** Put a line after the last one of these kinds. */
  insert(line: Line, ...after: readonly string[]): Line {
    const index = this.head.findLastIndex(({ kind }) => after.includes(worded(kind)));
    this.head.splice(index + 1, 0, line);
    return line;
  }

  remove(...lines: readonly Line[]): void {
    for (const line of lines) {
      this.head.splice(this.head.indexOf(line), 1);
      this.body.delete(line);
    }
  }

  /** Two lines change places, in the head or in a shard. */
  swap(a: Line, b: Line): void {
    const list = [this.head, ...[...this.body.values()].flat()].find((lines) => lines.includes(a)) ?? [];
    const [i, j] = [list.indexOf(a), list.indexOf(b)];
    [list[i], list[j]] = [b, a];
  }

  key(principal: string, key?: SigningKey): SigningKey {
    if (key !== undefined) this.#keys.set(principal, key);
    const found = this.#keys.get(principal);
    if (found === undefined) throw new Error(`no key of ${principal}`);
    return found;
  }

  digest(label: string, ...pieces: readonly Piece[]): string {
    return createHash('sha256')
      .update(this.domain.encode(label, ...pieces))
      .digest('base64url');
  }

  H(line: Json): string {
    return this.digest('line', utf8(JSON.stringify(line)));
  }

  #derive(line: Line, member: string, value: Json): void {
    if (this.#set.get(line)?.has(member) !== true) line[member] = value;
  }

  /** Records of an audit log, chained and signed. @returns its text, and the digest of each */
  async log(records: readonly Line[]): Promise<{ text: string; digests: string[] }> {
    const digests: string[] = [];
    let [all, prev] = ['', ''];
    for (const record of records) {
      this.#derive(record, 'prev', prev);
      if ('sig' in record) await this.#sign(record, worded(record['principal']), 'audit');
      const line = JSON.stringify(record);
      digests.push(this.digest('record', utf8(line)));
      prev =
        record['op'] === 'prune' ? (worded(record['detail']).split(' ')[3] ?? '') : (digests.at(-1) ?? '');
      all += `${line}\n`;
    }
    return { text: all, digests };
  }

  async #sign(line: Line, by = worded(line['by']), label = 'sig'): Promise<void> {
    const message = utf8(JSON.stringify({ ...line, sig: undefined }).slice(0, -1));
    const key = this.signedWith.get(line) ?? this.#keys.get(by);
    if (key === undefined || this.#set.get(line)?.has('sig') === true) return;
    line['sig'] = encodeBase64url(await sign(key, this.domain.encode(label, message)));
  }

  /** Body lines: chains of versions, then signatures. */
  async #sealBody(): Promise<void> {
    const values = this.all('value').sort((a, b) => Number(a['version']) - Number(b['version']));
    for (const line of values) {
      const before = values.findLast(
        (other) => other['secret'] === line['secret'] && other['version'] === Number(line['version']) - 1,
      );
      if (before !== undefined) this.#derive(line, 'prev', this.H(before));
      await this.#sign(line);
    }
    for (const line of [...this.all('purged'), ...this.all('removed')]) await this.#sign(line);
  }

  async #sealParts(): Promise<void> {
    for (const [part, shards] of this.body) {
      const { kind, environment, by } = part;
      const measured = shards.map((shard, number): [string, number] => {
        const bytes = utf8(shard.map((line) => `${JSON.stringify(line)}\n`).join(''));
        const name = kind === 'changes' ? worded(by) : number;
        return [this.digest('shard', worded(kind), worded(environment), name, bytes), bytes.length];
      });
      if (kind === 'changes') {
        const [[digest, size] = ['', 0]] = measured;
        this.#derive(part, 'digest', digest);
        this.#derive(part, 'size', size);
        this.#derive(
          part,
          'base',
          this.H(this.all('values').find((line) => line['environment'] === environment) ?? {}),
        );
      } else this.#derive(part, 'shards', measured);
      await this.#sign(part);
    }
  }

  async bytes(): Promise<Uint8Array> {
    let prev = '';
    for (const root of this.all('root')) {
      this.#derive(root, 'prev', prev);
      await this.#sign(root);
      prev = this.H(root);
    }
    const header = this.one('header');
    this.#derive(header, 'root', prev);
    await this.#sign(header);
    for (const line of this.all('succession')) {
      const entries = Array.isArray(header['principals']) ? (header['principals'] as Line[]) : [];
      const entry = entries.find(({ id }) => id === line['principal']);
      if (entry !== undefined) this.#derive(line, 'prev', this.H(entry));
      await this.#sign(line, `invited ${worded(line['principal'])}`);
    }
    const slots = this.all('slot');
    for (const bundle of this.all('bundle')) {
      const own = slots.filter((slot) => slot['principal'] === bundle['by']);
      this.#derive(
        bundle,
        'slots',
        own.map((slot) => this.H(slot)),
      );
      await this.#sign(bundle);
    }
    await this.#sealBody();
    await this.#sealParts();
    const requests = this.all('request');
    for (const line of requests) await this.#sign(line);
    for (const line of this.all('decision')) {
      const request = requests.find(({ id }) => id === line['request']);
      if (request !== undefined) this.#derive(line, 'digest', this.H(request));
      await this.#sign(line);
    }
    return this.#close();
  }

  async #close(): Promise<Uint8Array> {
    const lined = (lines: readonly Line[]): string =>
      lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const written = this.rewrite(lined(this.head));
    const bytes = typeof written === 'string' ? utf8(written) : Uint8Array.from(written);
    this.#derive(this.snapshot, 'head', this.digest('head', bytes));
    await this.#sign(this.snapshot);
    return Buffer.concat([
      bytes,
      Buffer.from(lined([...this.body.values()].flat(2)) + this.appended),
      Buffer.from(lined([this.snapshot])),
    ]);
  }
}
