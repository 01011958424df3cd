/** The examples of pages below docs/, run word for word. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { consoleLines, runLines } from '../support/console-examples.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('docs/backup.md: every line works', () => {
  const folder = temporaryFolder();
  // The disk of the example is a folder here.
  const lines = consoleLines('docs/backup.md').map((line) => line.replace('/mnt/backups/', `${folder}/mnt/`));
  expect(lines.length).toBeGreaterThan(4);
  const before = ['vault init --no-recovery', 'printf %s first | vault put x'];
  const variables = { VAULT_PASSPHRASE: 'the page on backups' };
  const { status, shown } = runLines(folder, [...before, ...lines], variables, 'y\n');
  expect(shown).toContain('all lines ran');
  expect(status).toBe(0);
  expect(existsSync(path.join(folder, 'before-the-move.backup.audit.jsonl'))).toBe(true);
  const log = readFileSync(path.join(folder, '.vault', 'secrets.vault.audit.jsonl'), 'utf8');
  expect([...log.matchAll(/"op":"(backup[\w-]*)","ok":true/gu)].map(([, op]) => op)).toEqual([
    'backup',
    'backup',
    'backup',
    'backup-verify',
    'backup-restore',
  ]);
}, 60_000);
