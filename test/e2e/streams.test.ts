/** Pipes that close, disks that are full, descriptors that are not there: standard streams as scripts really have them. */
import { writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { passphrase, scenario } from '../support/binary-vault.ts';

describe('standard output', () => {
  scenario('may be closed by its reader: silent', async (vault) => {
    await vault.put('large', 'x'.repeat(4 * 1024 ** 2));
    for (const name of ['canary', 'large']) {
      const { status, stdout, stderr } = await vault.shell(`$VAULT get ${name} | head -c1`);
      expect({ name, stdout: stdout.toString(), stderr }).toEqual({
        name,
        stdout: name === 'large' ? 'x' : 'c',
        stderr: '',
      });
      expect([0, 141]).toContain(status);
    }
    const { stderr } = await vault.shell(
      '$VAULT ls | true; $VAULT audit --json | true; $VAULT --help | true',
    );
    expect(stderr).toBe('');
  });

  scenario('of a pipe gets all of a large value', async (vault) => {
    const value = 'v'.repeat(3 * 1024 ** 2);
    await vault.put('large', value);
    const { stdout } = await vault.shell('$VAULT get large | (sleep 0.2; cat) | wc -c');
    expect(stdout.toString().trim()).toBe(String(value.length));
    const slow = await vault.shell(
      '$VAULT get large | python3 -c "import os,sys; sys.stdout.write(str(sum(len(c) for c in iter(lambda: os.read(0, 4096), b\'\'))))"',
      {
        env: { PATH: '/usr/bin:/bin' },
      },
    );
    expect(slow.stdout.toString()).toBe(String(value.length));
  });

  scenario('that is full is 9', async (vault) => {
    for (const line of ['get canary', 'ls', 'status', 'audit --json', 'show canary', '--help']) {
      const { status, stderr } = await vault.shell(`$VAULT ${line} > /dev/full`, { mayCrash: true });
      expect([line, status, stderr]).toEqual([line, 9, expect.stringMatching(/no space left/u)]);
      expect(stderr).not.toMatch(/internal|vault itself/u);
    }
  });

  scenario('that is closed keeps the value out of every file', async (vault) => {
    const { stderr } = await vault.shell(
      '$VAULT get canary >&-; $VAULT get canary <&- >&- 2>&-; $VAULT put x --generate <&- >&- 2>&-',
    );
    expect(stderr).not.toMatch(/^\s+at /mu);
    await vault.ok(['verify']);
    expect(await vault.json(['ls'])).toHaveLength(2);
  });

  scenario('is data alone', async (vault) => {
    for (const args of [
      ['put', 'x', '--generate'],
      ['rm', 'x'],
      ['restore', 'x'],
      ['mv', 'x', 'y'],
      ['verify'],
      ['rotate', 'y'],
    ]) {
      const { stdout } = await vault.ok(args);
      expect({ args, stdout: stdout.toString() }).toEqual({ args, stdout: '' });
    }
    const quiet = await vault.ok(['put', 'z', '--generate', '--quiet']);
    expect(quiet.stderr).toBe('');
  });
});

describe('standard error', () => {
  scenario('may be closed', async (vault) => {
    const { status, stdout } = await vault.shell('$VAULT get canary 2>&-', { shows: true });
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: vault.canary.value });
    expect(await vault.shell('$VAULT get absent 2>&-')).toMatchObject({ status: 3 });
    expect(await vault.shell('$VAULT get absent 2>/dev/full')).toMatchObject({ status: 3 });
    expect(await vault.shell('$VAULT put x --generate 2>&-')).toMatchObject({ status: 0 });
    await vault.ok(['verify']);
  });
});

describe('standard input', () => {
  scenario('is nothing where it is /dev/null or closed', async (vault) => {
    expect(await vault.shell('$VAULT put x < /dev/null')).toMatchObject({ status: 2 });
    expect(await vault.shell('$VAULT put x <&-')).toMatchObject({ status: 2 });
    await vault.fails(3, ['get', 'x']);
  });

  scenario('may be a file, a pipe that comes slowly, or a socket', async (vault) => {
    writeFileSync(vault.in('value'), 'from a file\n');
    await vault.shell('$VAULT put file < value');
    await vault.shell('(printf first; sleep 0.2; printf second) | $VAULT put pipe');
    expect(await vault.text('file')).toBe('from a file');
    expect(await vault.text('pipe')).toBe('firstsecond');
    // What node gives a child as a pipe is a socket.
    await vault.put('socket', 'by socket');
    expect(await vault.text('socket')).toBe('by socket');
  });
});

describe('the passphrase', () => {
  scenario('comes from descriptor, file, command, variable, in this order', async (vault) => {
    writeFileSync(vault.in('right'), `${passphrase}\n`, { mode: 0o600 });
    writeFileSync(vault.in('wrong'), 'wrong\n', { mode: 0o600 });
    const none = { VAULT_PASSPHRASE: undefined };
    const get = '$VAULT get canary';
    const right = async (line: string, env: Record<string, string | undefined>): Promise<void> => {
      const { status, stdout, stderr } = await vault.shell(line, { env, shows: true });
      expect({ line, status, stdout: stdout.toString(), stderr }).toEqual({
        line,
        status: 0,
        stdout: vault.canary.value,
        stderr: '',
      });
    };
    await right(`${get} 5< right`, { ...none, VAULT_PASSPHRASE_FD: '5' });
    await right(`${get} 5< <(cat right)`, {
      VAULT_PASSPHRASE: 'wrong',
      VAULT_PASSPHRASE_FILE: 'wrong',
      VAULT_PASSPHRASE_FD: '5',
    });
    await right(get, {
      VAULT_PASSPHRASE: 'wrong',
      VAULT_PASSPHRASE_COMMAND: 'cat wrong',
      VAULT_PASSPHRASE_FILE: 'right',
    });
    await right(get, { VAULT_PASSPHRASE: 'wrong', VAULT_PASSPHRASE_COMMAND: 'cat right' });
    await right(`${get} < right`, { ...none, VAULT_PASSPHRASE_FILE: '-' });

    const wrong = async (
      status: number,
      env: Record<string, string | undefined>,
      line = get,
    ): Promise<void> => {
      const ended = await vault.shell(line, { env });
      expect({ env, status: ended.status, stdout: ended.stdout.toString() }).toEqual({
        env,
        status,
        stdout: '',
      });
    };
    await wrong(4, { VAULT_PASSPHRASE_FILE: 'wrong' });
    await wrong(3, { VAULT_PASSPHRASE_FILE: 'absent' });
    await wrong(4, { VAULT_PASSPHRASE_FD: '77' });
    await wrong(2, { VAULT_PASSPHRASE_FD: 'x' });
    await wrong(4, { VAULT_PASSPHRASE_COMMAND: 'exit 3' });
    await wrong(4, { VAULT_PASSPHRASE_COMMAND: 'cat wrong' });
    // It has the passphrase commands' environment, and none of our credentials.
    await wrong(4, { VAULT_PASSPHRASE_COMMAND: 'printf "%s|" "$VAULT_PASSPHRASE"' });
  });
});
