/** Replacing the vault file: whole or not at all, whatever fails. docs/format.md section 10. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { BackendError, IntegrityError } from '../../../src/errors.ts';
import { realFileSystem } from '../../../src/storage/file-system.ts';
import {
  openVaultFile,
  removeStaleTemporary,
  replaceVaultFile,
  temporaryPath,
  vaultFileStamp,
} from '../../../src/storage/vault-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  diskError,
  dyingAt,
  failingOnce,
  watchedFileSystem,
  type Step,
} from '../../support/watched-file-system.ts';

const pieces = [utf8('new '), utf8(''), utf8('content\n')];

function vaultFile(): string {
  const at = path.join(temporaryFolder(), 'team.vault');
  writeFileSync(at, 'old content\n', { mode: 0o600 });
  return at;
}

/** The calls of a replacement that works, in order. */
function stepsOfReplacing(): Step[] {
  const steps: Step[] = [];
  const at = vaultFile();
  replaceVaultFile(
    watchedFileSystem((step) => steps.push(step)),
    at,
    pieces,
  );
  expect(readFileSync(at, 'utf8')).toBe('new content\n');
  return steps;
}

const steps = stepsOfReplacing();
const rename = steps.findIndex(({ call }) => call === 'renameSync') + 1;

describe('replacing', () => {
  test('writes beside, flushes, renames, flushes the folder, in this order', () => {
    const order = steps.map(({ call }) => call).filter((call) => call !== 'lstatSync');
    const temporary = ['openSync', 'writeSync', 'writeSync', 'fsyncSync', 'closeSync'];
    expect(order).toEqual([...temporary, 'renameSync', 'openSync', 'fsyncSync', 'closeSync']);
  });

  test('leaves one file, for its owner only, and no temporary one', () => {
    const at = vaultFile();
    replaceVaultFile(realFileSystem, at, pieces);
    expect(readdirSync(path.dirname(at))).toEqual(['team.vault']);
    expect(statSync(at).mode & 0o777).toBe(0o600);
  });

  test('makes a file that was not there', () => {
    const at = path.join(temporaryFolder(), 'new.vault');
    replaceVaultFile(realFileSystem, at, pieces);
    expect(readFileSync(at, 'utf8')).toBe('new content\n');
  });

  test('does not write through a link that stands in the place of the temporary file', () => {
    const at = vaultFile();
    writeFileSync(`${at}.target`, 'precious');
    symlinkSync(`${at}.target`, temporaryPath(at));
    expect(() => replaceVaultFile(realFileSystem, at, pieces)).toThrow(IntegrityError);
    expect(readFileSync(`${at}.target`, 'utf8')).toBe('precious');
    expect(readFileSync(at, 'utf8')).toBe('old content\n');
  });

  // `lstatSync` and `unlinkSync` of the temporary file are the subject of "a stale temporary file".
  const upToRename = steps.slice(0, rename).filter(({ call }) => call !== 'lstatSync');

  test.each(upToRename)('step $number, $call, failing: nothing changed, nothing is left', ({ number }) => {
    const at = vaultFile();
    const fs = failingOnce((step) => step.number === number, 'ENOSPC');
    const error = expect.objectContaining({ code: 'BACKEND', exitCode: 9 }) as Error;
    expect(() => replaceVaultFile(fs, at, pieces)).toThrow(error);
    expect(readFileSync(at, 'utf8')).toBe('old content\n');
    expect(readdirSync(path.dirname(at))).toEqual(['team.vault']);
    replaceVaultFile(realFileSystem, at, pieces);
    expect(readFileSync(at, 'utf8')).toBe('new content\n');
  });

  test.each(steps.slice(rename))(
    'step $number, $call of the folder, failing: done, durability unknown',
    ({ number }) => {
      const at = vaultFile();
      const fs = failingOnce((step) => step.number === number);
      const error = expect.objectContaining({ code: 'DURABILITY_UNKNOWN', exitCode: 9 }) as Error;
      expect(() => replaceVaultFile(fs, at, pieces)).toThrow(error);
      expect(readFileSync(at, 'utf8')).toBe('new content\n');
    },
  );

  // Closing is not in the power of who is killed: the kernel does it.
  test.each(steps.filter(({ call }) => call !== 'closeSync'))(
    'killed before step $number, $call: the old file or the new one, and the next write goes on',
    ({ number }) => {
      const at = vaultFile();
      expect(() =>
        replaceVaultFile(
          dyingAt((step) => step.number === number),
          at,
          pieces,
        ),
      ).toThrow(/EIO|input\/output/);
      expect(readFileSync(at, 'utf8')).toBe(number <= rename ? 'old content\n' : 'new content\n');
      replaceVaultFile(realFileSystem, at, [utf8('newer\n')]);
      expect(readFileSync(at, 'utf8')).toBe('newer\n');
      expect(readdirSync(path.dirname(at))).toEqual(['team.vault']);
    },
  );

  test('a write that makes no progress in one call goes on in the next', () => {
    const at = vaultFile();
    const fs = {
      ...realFileSystem,
      writeSync: ((descriptor: number, bytes: Uint8Array, offset: number, length: number) =>
        realFileSystem.writeSync(
          descriptor,
          bytes,
          offset,
          Math.min(1, length),
        )) as typeof realFileSystem.writeSync,
    };
    replaceVaultFile(fs, at, pieces);
    expect(readFileSync(at, 'utf8')).toBe('new content\n');
  });
});

describe('a stale temporary file', () => {
  test('of a killed writer goes', () => {
    const at = vaultFile();
    writeFileSync(temporaryPath(at), 'half');
    replaceVaultFile(realFileSystem, at, pieces);
    expect(readFileSync(at, 'utf8')).toBe('new content\n');
    expect(existsSync(temporaryPath(at))).toBe(false);
  });

  test('that is none of ours is refused: a folder, a link', () => {
    const at = vaultFile();
    mkdirSync(temporaryPath(at));
    const unsafe = expect.objectContaining({ code: 'UNSAFE_PATH' }) as Error;
    expect(() => removeStaleTemporary(realFileSystem, at)).toThrow(unsafe);
    expect(() => replaceVaultFile(realFileSystem, at, pieces)).toThrow(unsafe);
    expect(readFileSync(at, 'utf8')).toBe('old content\n');
  });

  test('that cannot be removed is a failure of the disk', () => {
    const at = vaultFile();
    writeFileSync(temporaryPath(at), 'half');
    const fs = failingOnce(({ call }) => call === 'unlinkSync', 'EPERM');
    expect(() => replaceVaultFile(fs, at, pieces)).toThrow(BackendError);
    expect(readFileSync(at, 'utf8')).toBe('old content\n');
  });
});

test('a temporary file that cannot be looked at is a failure of the disk', () => {
  const at = vaultFile();
  const error = expect.objectContaining({ code: 'BACKEND' }) as Error;
  expect(() =>
    replaceVaultFile(
      failingOnce(({ call }) => call === 'lstatSync'),
      at,
      pieces,
    ),
  ).toThrow(error);
  expect(readFileSync(at, 'utf8')).toBe('old content\n');
});

describe('an open file', () => {
  test('stays what it was when another is renamed over it', () => {
    const at = vaultFile();
    const file = openVaultFile(realFileSystem, at);
    replaceVaultFile(realFileSystem, at, pieces);
    expect(Buffer.from(file.read(0, file.size)).toString()).toBe('old content\n');
    expect(vaultFileStamp(realFileSystem, at)).not.toBe(file.stamp);
    file.close();
    expect(vaultFileStamp(realFileSystem, at)).toBe(openVaultFile(realFileSystem, at).stamp);
  });

  test('is known by its stamp until it is replaced, by the same bytes too', () => {
    const at = vaultFile();
    const { stamp } = openVaultFile(realFileSystem, at);
    expect(vaultFileStamp(realFileSystem, at)).toBe(stamp);
    writeFileSync(`${at}-copy`, 'old content\n');
    renameSync(`${at}-copy`, at);
    expect(vaultFileStamp(realFileSystem, at)).not.toBe(stamp);
  });

  test('gives exactly what was asked for, or an integrity error', () => {
    const at = vaultFile();
    const file = openVaultFile(realFileSystem, at);
    expect(Buffer.from(file.read(4, 7)).toString()).toBe('content');
    expect(() => file.read(4, 100)).toThrow(IntegrityError);
    writeFileSync(at, 'cut');
    expect(() => file.read(4, 7)).toThrow(IntegrityError);
  });

  test('what is not there is not found; a link, a folder and a FIFO are refused', () => {
    const at = vaultFile();
    const missing = expect.objectContaining({ code: 'VAULT_NOT_FOUND', exitCode: 3 }) as Error;
    expect(() => openVaultFile(realFileSystem, `${at}-none`)).toThrow(missing);
    expect(vaultFileStamp(realFileSystem, `${at}-none`)).toBeNull();
    const unsafe = expect.objectContaining({ code: 'UNSAFE_PATH', exitCode: 7 }) as Error;
    symlinkSync(at, `${at}-link`);
    expect(() => openVaultFile(realFileSystem, `${at}-link`)).toThrow(unsafe);
    mkdirSync(`${at}-folder`);
    expect(() => openVaultFile(realFileSystem, `${at}-folder`)).toThrow(unsafe);
  });

  test('a disk that cannot be read is exit 9', () => {
    const at = vaultFile();
    const error = expect.objectContaining({ exitCode: 9 }) as Error;
    const file = openVaultFile(
      failingOnce(({ call }) => call === 'readSync'),
      at,
    );
    expect(() => file.read(0, 3)).toThrow(error);
    expect(() =>
      openVaultFile(
        failingOnce(({ call }) => call === 'openSync', 'EACCES'),
        at,
      ),
    ).toThrow(error);
  });
});

test('the errors that tests put in look like those of the disk', () => {
  expect(diskError('EIO')).toMatchObject({ code: 'EIO' });
});
