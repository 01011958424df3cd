/**
 * Verifying everything: every line of the file, every value that the principal can open, the audit log, the permissions.
 * What is wrong is thrown (exit 7); what is worth knowing comes back.
 */
import { IntegrityError } from '../../errors.ts';
import { compareBytes, parseBase64url, type Bytes } from '../../crypto/bytes.ts';
import { checkHead } from '../../format/head-order.ts';
import { splitLines } from '../../format/document.ts';
import { lineKind, parseLine, type Line } from '../../format/json-line.ts';
import { limits } from '../../format/limits.ts';
import { grantLine, purgedLine, valueLine, type PurgedLine, type ValueLine } from '../../format/lines.ts';
import { shardNumber } from '../environment-layout.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import type { Place } from '../place.ts';
import { ownSealKey } from '../principal-keys.ts';
import type { Scope } from '../scope.ts';
import { boundSlots } from '../../access/bound-slots.ts';
import { proveLog } from './audit-proof.ts';
import { secretsInParallel } from '../secrets-in-parallel.ts';
import type { RememberedLog } from '../../storage/state-store.ts';
import { sealPublicKeyOf } from '../value-line.ts';

export interface VerifyReport {
  readonly generation: number;
  readonly environments: number;
  readonly secrets: number;
  readonly versions: number;
  /** Environments that this principal cannot open: their lines are checked, their contents are not. */
  readonly sealed: readonly string[];
  readonly auditRecords: number;
  readonly unsealedRecords: number;
  readonly warnings: readonly string[];
}

export interface VerifyOptions {
  /** What this machine remembers of the log. */
  readonly known?: RememberedLog | null;
  /** Told now and then what has been verified. */
  readonly progress?: (what: 'secrets' | 'records', done: number) => void;
}

export async function verifyVault(
  scope: Scope,
  place: Place,
  { known = null, progress = () => undefined }: VerifyOptions = {},
): Promise<VerifyReport> {
  const { document, authority } = scope;
  // The head digest, the snapshot, roots, header, names, values and changes were checked when the document was opened.
  checkHead(document);
  checkGrants(scope);
  await checkOwnSealKey(scope);
  for (const principal of authority.principals) {
    if (document.bundleOf(principal.id) !== null) await boundSlots(document, authority, principal.id);
  }
  const totals = { secrets: 0, versions: 0 };
  const sealed: string[] = [];
  for (const part of document.environments) {
    if (authority.grantLevel(scope.identity.principal, part.entry.id) === null) {
      sealed.push(part.entry.name);
      continue;
    }
    const before = totals.secrets;
    const found = await verifyEnvironment(await scope.readerOf(part.entry), (done) => {
      progress('secrets', before + done);
    });
    totals.secrets += found.secrets;
    totals.versions += found.versions;
  }
  const log = await proveLog(scope, place, {
    known,
    progress: (records) => {
      progress('records', records);
    },
  });
  return {
    generation: document.snapshot.value.n,
    environments: document.environments.length,
    ...totals,
    sealed,
    auditRecords: log?.records ?? 0,
    unsealedRecords: log?.unsealed ?? 0,
    warnings: permissionWarnings(place),
  };
}

/** One grant for everybody and everywhere that the header says, and none besides. Nobody signs grants; who leaves one out shuts somebody out. */
function checkGrants({ document, authority }: Scope): void {
  const most = limits.principals * limits.environments;
  const found = document
    .all('grant', grantLine, most)
    .map(({ value }) => `${value.principal} ${value.environment} ${value.epoch} ${value.level}`);
  const wanted = [...authority.principals].flatMap(({ id, expires }) =>
    authority.header.environments.flatMap((entry) => {
      const level =
        expires !== '' && expires < authority.header.time ? null : authority.grantLevel(id, entry.id);
      return level === null ? [] : [`${id} ${entry.id} ${entry.epoch} ${level}`];
    }),
  );
  if (found.length !== wanted.length || found.some((grant, index) => grant !== wanted[index]))
    throw new IntegrityError('the grants are not those that the header lists');
}

/** What others seal to is one's own key: only its holder can tell that an administrator exchanged it. */
async function checkOwnSealKey({ authority, identity }: Scope): Promise<void> {
  const own = authority.principal(identity.principal);
  if (own === null || own.sealPub === '' || own.sealPub === (await ownSealKey(identity))) return;
  const hint = 'ask another administrator for new keys: `vault access reissue`';
  throw new IntegrityError('the header lists another key than yours for what others seal to you', { hint });
}

async function verifyEnvironment(
  reader: EnvironmentReader,
  progress: (done: number) => void,
): Promise<{ secrets: number; versions: number }> {
  const known = await checkShards(reader);
  const entries = await reader.storedEntries();
  await checkPlaces(reader);
  await checkSealKey(reader);
  let [versions, done] = [0, 0];
  const listed = new Set<string>();
  for (const { secret } of entries) {
    if (listed.has(secret)) throw new IntegrityError(`${reader.part.entry.name}: two names share one secret`);
    listed.add(secret);
  }
  await secretsInParallel(reader, entries, async (entry) => {
    const history = await reader.history(entry.secret);
    // What a `changes` line has purged to the end is gone with the next write.
    if (history.versions.length === 0 && reader.part.changes.length === 0)
      throw new IntegrityError(`${reader.part.entry.name}: a name has no version`);
    await reader.checkVersion(history, 0);
    for (const line of history.versions) {
      await reader.note(line);
      if (reader.keys.value !== null) (await reader.open(line)).wipe();
    }
    versions += history.versions.length;
    done += 1;
    progress(done);
  });
  for (const [secret, purgedOnly] of known) {
    if (!purgedOnly && !listed.has(secret))
      throw new IntegrityError(`${reader.part.entry.name}: versions without a name`);
  }
  await checkChanges(reader, listed);
  const present = (await reader.entries()).filter((entry) => entry.removed === '');
  return { secrets: present.length, versions };
}

/** What somebody has added says something, and nothing of secrets that are not there. */
async function checkChanges(reader: EnvironmentReader, listed: ReadonlySet<string>): Promise<void> {
  for (const [index, line] of reader.part.changes.entries()) {
    const secrets = [...(await reader.added.of(index)).keys()];
    if (secrets.length > 0 && secrets.every((secret) => listed.has(secret))) continue;
    const signer = reader.authority.nameOf(line.value.by);
    const hint = 'whoever may write leaves it out with any change';
    throw new IntegrityError(`what ${signer} had added to ${reader.part.entry.name} does not hold together`, {
      hint,
    });
  }
}

/** The public key that values are sealed to by who cannot read is the environment's own. */
async function checkSealKey({ authority, part, keys }: EnvironmentReader): Promise<void> {
  const { sealPub, name } = part.entry;
  if (sealPub === '' || keys.environmentKey === null) return;
  if ((await sealPublicKeyOf(authority.domain, part.entry, keys.environmentKey)) !== sealPub)
    throw new IntegrityError(`${name}: its public key is not its own`);
}

/** Order, place and signature of every line in the value shards. Returns the secrets seen, and whether only their trace is left. */
async function checkShards(reader: EnvironmentReader): Promise<Map<string, boolean>> {
  const { bits, shards } = reader.part.values.value;
  const seen = new Map<string, boolean>();
  for (const number of shards.keys()) {
    let before: { secret: Bytes; version: number } | null = null;
    for (const raw of splitLines(await reader.shard('values', number))) {
      const line: Line<ValueLine | PurgedLine> =
        lineKind(raw) === 'purged'
          ? parseLine(raw, purgedLine, 'purged')
          : parseLine(raw, valueLine, 'value');
      const { value } = line;
      const secret = parseBase64url(value.secret) ?? new Uint8Array(0);
      const version = value.kind === 'value' ? value.version : 0;
      if (value.environment !== reader.id || shardNumber(secret, bits) !== number) {
        throw new IntegrityError(`${value.kind}: it stands in the wrong shard`);
      }
      const order = before === null ? -1 : compareBytes(before.secret, secret) || before.version - version;
      if (order >= 0) throw new IntegrityError(`${value.kind}: lines are out of order`);
      if (value.kind === 'purged') await reader.authority.checkSigned(line, reader.id, ['delete', 'write']);
      seen.set(value.secret, value.kind === 'purged');
      before = { secret, version };
    }
  }
  return seen;
}

/** Every entry stands in the shard that its name belongs to: elsewhere it would not be found. */
async function checkPlaces(reader: EnvironmentReader): Promise<void> {
  for (const number of reader.part.names.value.shards.keys()) {
    for (const { name } of await reader.entriesOfShard(number)) {
      if ((await reader.shardOfName(name)) !== number)
        throw new IntegrityError('catalog: a name stands in the wrong shard');
    }
  }
}

function permissionWarnings(place: Place): string[] {
  if (process.platform === 'win32') return [];
  const warnings: string[] = [];
  for (const path of [place.path, place.audit.path]) {
    try {
      const mode = place.fs.lstatSync(path).mode & 0o777;
      if ((mode & 0o022) !== 0) warnings.push(`${path} can be written by others (mode ${mode.toString(8)})`);
    } catch {
      // Not there: reported by whoever needs it.
    }
  }
  return warnings;
}
