/** The files of a vault and what is around them: what killed processes left, the lock, the clock, the log. */
import { encodeHex } from '../../crypto/bytes.ts';
import { IntegrityError, SecretsManagerError } from '../../errors.ts';
import { limits } from '../../format/limits.ts';
import { readHolder } from '../../storage/lock.ts';
import { canSave, type RememberedLog } from '../../storage/state-store.ts';
import { temporaryPath } from '../../storage/vault-file.ts';
import { proveLog } from '../operations/audit-proof.ts';
import { lockPathOf, type Place } from '../place.ts';
import type { Scope } from '../scope.ts';
import { finding, type Finding } from './finding.ts';
import { permissionFindings, statOf } from './permissions.ts';

const mebibyte = 1024 ** 2;
/** A longer log is not proven along: that takes a second for some ten thousand records. */
const mostProven = 16 * mebibyte;
const largeLog = 256 * mebibyte;
const largeVault = limits.file / 2;
const clockToleranceMs = 5 * 60 * 1000;
/** Whoever writes right now is no finding. */
const lockPatienceMs = 2_000;

export async function examinePlace(
  scope: Scope,
  place: Place,
  known: RememberedLog | null,
): Promise<Finding[]> {
  const lock = await lockFindings(place);
  return [
    ...permissionFindings(place),
    ...lock,
    ...(lock.length === 0 ? temporaryFiles(place) : []),
    ...memoryFindings(place),
    ...clockFindings(scope),
    ...sizeFindings(scope, place),
    ...(await logFindings(scope, place, known)),
  ];
}

async function lockFindings(place: Place): Promise<Finding[]> {
  const { fs, holder, monotonic: now, acquireLock } = place;
  const path = lockPathOf(place.path);
  try {
    (await acquireLock({ fs, holder, now, waitMs: lockPatienceMs, path })).release();
    return [];
  } catch (error) {
    if (!(error instanceof SecretsManagerError) || error.code !== 'LOCK_HELD') return [];
    const since = statOf(fs, `${path}-holder`)?.mtime.toISOString();
    const when = since === undefined ? '' : ` since ${since}`;
    return [finding('lock-held', `the vault is locked by ${readHolder(fs, path)}${when}`)];
  }
}

/** Nobody writes now: what is there is left over. */
function temporaryFiles({ fs, path, audit }: Place): Finding[] {
  const left = [path, audit.path].map(temporaryPath).filter((one) => statOf(fs, one) !== null);
  return left.length === 0 ? [] : [finding('temporary-file', 'left by a killed process', { names: left })];
}

function memoryFindings({ fs, stateFolder, random }: Place): Finding[] {
  if (stateFolder === null) return [finding('no-memory', 'this machine has no folder to remember vaults in')];
  return canSave(fs, stateFolder, encodeHex(random(8)))
    ? []
    : [finding('no-memory', 'this machine cannot write down what it has seen', { names: [stateFolder] })];
}

function clockFindings({ document, authority, now }: Scope): Finding[] {
  const newest = [document.snapshot.value.time, authority.header.time].sort().at(-1) ?? '';
  const behindMs = Date.parse(newest) - now.getTime();
  if (behindMs <= clockToleranceMs) return [];
  return [finding('clock-behind', `the clock says ${now.toISOString()}, the vault was written at ${newest}`)];
}

function sizeFindings({ document }: Scope, { fs, path, audit }: Place): Finding[] {
  const inMebibytes = (bytes: number): string => `${Math.round(bytes / mebibyte)} MiB`;
  const { size } = document.source;
  const log = statOf(fs, audit.path)?.size ?? 0;
  return [
    ...(size > largeVault
      ? [finding('vault-large', `the file has ${inMebibytes(size)}`, { names: [path] })]
      : []),
    ...(log > largeLog
      ? [finding('log-large', `the log has ${inMebibytes(log)}`, { names: [audit.path] })]
      : []),
  ];
}

async function logFindings(scope: Scope, place: Place, known: RememberedLog | null): Promise<Finding[]> {
  const names = [place.audit.path];
  if ((statOf(place.fs, place.audit.path)?.size ?? 0) > mostProven)
    return [finding('log-not-proven', 'the log is too long to be proven along', { names })];
  try {
    await proveLog(scope, place, { known });
    return [];
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return [logDamage(place, error)];
  }
}

export function logDamage({ audit }: Place, { message }: IntegrityError): Finding {
  return finding('audit-log-damaged', message, { names: [audit.path] });
}
