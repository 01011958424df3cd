/** The examples of the README, run word for word at a pseudo-terminal, one after the other. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { consoleLines, runLines } from '../support/console-examples.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('every line works', () => {
  const lines = consoleLines('README.md');
  expect(lines.length).toBeGreaterThan(15);
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, '.env'), 'API_URL=https://api.internal\nAPI_KEY="k-1"\n');
  const scripts = {
    server: 'test "$API_KEY" = k-1 && echo "server has its key"',
    'set-password': 'printf %s "$VAULT_NEW_VALUE" > password',
    'try-login': 'test "$(cat password)" = "$VAULT_NEW_VALUE" && echo "logged in"',
  };
  for (const [name, line] of Object.entries(scripts)) {
    writeFileSync(path.join(folder, name), `#!/bin/sh\n${line}\n`);
    chmodSync(path.join(folder, name), 0o755);
  }
  const { status, shown } = runLines(folder, lines, { TOKEN: 't-1', VAULT_PASSPHRASE: 'the readme' });
  expect(shown).toContain('all lines ran');
  expect(shown).toMatch(/VRK1-/);
  expect(shown).toContain('server has its key');
  expect(shown).toContain('logged in');
  expect(status).toBe(0);
}, 60_000);
