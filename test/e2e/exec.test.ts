/** Running programs with secrets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, vi } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { scenario, type BinaryVault, type RunOptions } from '../support/binary-vault.ts';

/** The environment of a child, run with these flags. */
async function environmentOf(
  vault: BinaryVault,
  flags: readonly string[],
  options: RunOptions = {},
): Promise<Record<string, string>> {
  const { stdout } = await vault.ok(['exec', ...flags, '--', '/usr/bin/env', '-0'], {
    shows: true,
    ...options,
  });
  const pairs = stdout.toString().split('\0').slice(0, -1);
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

const sh = (script: string): string[] => ['--', '/bin/sh', '-c', script];

describe('exec', () => {
  scenario('hands over secrets, and none of our credentials', async (vault) => {
    await vault.put('db/pass-word', 'with "quotes" and\nlines');
    await vault.put('proxy', 'http://p', '--var', 'http_proxy');
    const env = {
      VAULT_ADDR: 'https://hashicorp',
      VAULT_TOKEN: 'hvs.x',
      VAULT_NAMESPACE: 'ns',
      VAULT_PASSPHRASE_COMMAND: undefined,
      VAULT_KEY_FILE: undefined,
      NODE_OPTIONS: '--no-warnings',
      VAULT_PKCS11_PIN_FILE: '/x',
      VAULT_AGE_IDENTITY: '/x',
      MINE: 'kept',
    };
    const got = await environmentOf(vault, [], { env });
    expect(got).toMatchObject({
      CANARY: vault.canary.value,
      DB_PASS_WORD: 'with "quotes" and\nlines',
      http_proxy: 'http://p',
      VAULT_ADDR: 'https://hashicorp',
      VAULT_TOKEN: 'hvs.x',
      VAULT_NAMESPACE: 'ns',
      NODE_OPTIONS: '--no-warnings',
      MINE: 'kept',
      HOME: vault.folder,
    });
    const ours = Object.keys(got).filter((name) =>
      /PASSPHRASE|KEY_FILE|ACCESS_TOKEN|PKCS11|AGE_/u.test(name),
    );
    expect(ours).toEqual([]);
  });

  for (const variable of [
    'VAULT_PASSPHRASE_FILE',
    'VAULT_PASSPHRASE_COMMAND',
    'VAULT_PASSPHRASE_FD',
  ] as const) {
    scenario(`takes ${variable} away`, async (vault) => {
      writeFileSync(vault.in('pass'), 'correct horse battery staple');
      const value = {
        VAULT_PASSPHRASE_FILE: 'pass',
        VAULT_PASSPHRASE_COMMAND: 'cat pass',
        VAULT_PASSPHRASE_FD: '7',
      }[variable];
      const env = { VAULT_PASSPHRASE: undefined, [variable]: value };
      const { stdout } = await vault.shell('$VAULT exec -- env 7< pass', { env, shows: true });
      expect(stdout.toString()).toContain(vault.canary.value);
      expect(stdout.toString()).not.toContain(variable);
    });
  }

  scenario('has the status of the program', async (vault) => {
    for (const status of [0, 1, 3, 124, 125, 255]) {
      expect(await vault.run(['exec', ...sh(`exit ${status}`)])).toMatchObject({ status });
      expect(await vault.run(['exec', '--timeout', '1m', ...sh(`exit ${status}`)])).toMatchObject({ status });
    }
    for (const [signal, number] of [
      ['TERM', 15],
      ['KILL', 9],
      ['INT', 2],
      ['HUP', 1],
      ['SEGV', 11],
    ] as const) {
      const line = `ulimit -c 0; $VAULT exec -- sh -c 'kill -${signal} $$'`;
      expect([signal, (await vault.shell(line)).status]).toEqual([signal, 128 + number]);
      const watched = `ulimit -c 0; $VAULT exec --timeout 1m -- sh -c 'kill -${signal} $$'`;
      expect([signal, (await vault.shell(watched)).status]).toEqual([signal, 128 + number]);
    }
  });

  scenario('is 125 for our own failures, and the program does not run', async (vault) => {
    const touch = ['--', 'touch', 'ran'];
    await vault.fails(125, ['exec', ...touch], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(125, ['exec', '--vault', 'absent', ...touch]);
    await vault.fails(125, ['exec', '--bogus', ...touch]);
    await vault.fails(125, ['exec']);
    await vault.fails(125, ['exec', '--timeout', 'soon', ...touch]);
    await vault.fails(125, ['exec', '--map', 'X=absent', ...touch]);
    await vault.fails(125, ['exec', '--map', 'nonsense', ...touch]);
    await vault.fails(125, ['exec', '--only', 'absent', ...touch]);
    await vault.fails(125, ['exec', '-e', 'absent', ...touch]);
    const json = await vault.fails(125, ['exec', '--json', ...touch], { env: { VAULT_PASSPHRASE: 'wrong' } });
    expect(JSON.parse(json)).toMatchObject({ code: 'UNLOCK_FAILED' });
    await vault.put('expired', 'x', '--expires', '2020-01-01T00:00:00Z');
    await vault.fails(125, ['exec', ...touch]);
    await vault.ok(['exec', '--allow-expired', '--', 'true']);
    writeFileSync(vault.file, readFileSync(vault.file).subarray(0, -1));
    await vault.fails(125, ['exec', ...touch]);
    expect(existsSync(vault.in('ran'))).toBe(false);
  });

  scenario('has an --env-file of its own, not the runtime’s', async (vault) => {
    await vault.fails(125, ['exec', '--env-file', 'absent', '--', 'touch', 'ran']);
    expect(existsSync(vault.in('ran'))).toBe(false);
    await vault.fails(2, ['get', 'canary', '--env-file', 'absent']);
  });

  scenario('is 127 and 126 as in a shell', async (vault) => {
    writeFileSync(vault.in('not-executable'), '#!/bin/sh\nexit 0\n', { mode: 0o644 });
    writeFileSync(vault.in('no-interpreter'), '#!/no/such/thing\n', { mode: 0o755 });
    writeFileSync(vault.in('script'), 'exit 9\n', { mode: 0o755 });
    for (const more of [[], ['--timeout', '1m']]) {
      const status = async (command: string): Promise<number> =>
        (await vault.run(['exec', ...more, '--', command])).status;
      expect(await status('no-such-program')).toBe(127);
      expect(await status('./no-such-program')).toBe(127);
      expect(await status('./not-executable')).toBe(126);
      expect(await status('.')).toBe(126);
      expect([126, 127]).toContain(await status('./no-interpreter'));
      expect(await status('./script')).toBe(9);
    }
  });

  scenario('is 124 when the time is over, and nobody is left', async (vault) => {
    const script = 'echo $$ > pid; trap "" TERM; sleep 60 & wait; sleep 60';
    const { status } = await vault.run(['exec', '--timeout', '1s', ...sh(script)]);
    expect(status).toBe(124);
    const pid = readFileSync(vault.in('pid'), 'utf8').trim();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  scenario('lists all collisions and refuses them', async (vault) => {
    await vault.put('a-b', '1');
    await vault.put('a_b', '2');
    await vault.put('c d', '3');
    await vault.put('C/D', '4');
    const message = await vault.fails(125, ['exec', '--', 'true']);
    expect(message).toMatch(/A_B.*C_D|C_D.*A_B/u);
    for (const name of ['a-b', 'a_b', 'c d', 'C/D']) expect(message).toContain(name);
    expect(await environmentOf(vault, ['--only', 'a-b'])).toMatchObject({ A_B: '1' });
    expect(
      await environmentOf(vault, ['--only', 'canary', '--map', 'X=a-b', '--map', 'Y=a_b']),
    ).toMatchObject({ X: '1', Y: '2' });
  });

  scenario('refuses variables that change what programs do, without --override', async (vault) => {
    for (const name of [
      'PATH',
      'LD_PRELOAD',
      'NODE_OPTIONS',
      'BASH_ENV',
      'IFS',
      'PYTHONPATH',
      'GIT_SSH_COMMAND',
      'ENV',
      'DYLD_X',
    ]) {
      await vault.put(name, '/evil');
      const message = await vault.fails(125, ['exec', '--only', name, '--', '/bin/true']);
      expect(message).toContain(name);
      expect(message).not.toContain('/evil');
      await vault.fails(125, ['exec', '--map', `${name}=canary`, '--', '/bin/true']);
    }
    const { HOME } = await environmentOf(vault, ['--only', 'canary', '--map', 'HOME=IFS', '--override']);
    expect(HOME).toBe('/evil');
    // One that the caller has, with another value.
    await vault.fails(125, ['exec', '--map', 'MINE=canary', '--', 'true'], { env: { MINE: 'other' } });
    await vault.ok(['exec', '--only', 'canary', '--', 'true'], { env: { CANARY: vault.canary.value } });
    expect(
      await environmentOf(vault, ['--only', 'canary', '--override'], { env: { CANARY: 'other' } }),
    ).toMatchObject({
      CANARY: vault.canary.value,
    });
  });

  scenario('chooses and names', async (vault) => {
    await vault.put('db/user', 'ada');
    await vault.put('db/credential', '{"password":"pw","port":1}');
    await vault.put('p', 'live', '-e', 'production');
    const only = await environmentOf(vault, ['--only', 'db/*']);
    expect(only).toMatchObject({ DB_USER: 'ada' });
    expect(only).not.toHaveProperty('CANARY');
    const mapped = await environmentOf(vault, [
      '--map',
      'PGPASSWORD=db/credential#password',
      '--map',
      'P=vault://production/p',
    ]);
    expect(mapped).toMatchObject({ PGPASSWORD: 'pw', P: 'live' });
    expect(mapped).not.toHaveProperty('CANARY');
    expect(await environmentOf(vault, ['--prefix', 'APP_', '--only', 'db/user'])).toMatchObject({
      APP_DB_USER: 'ada',
    });
    const pristine = await environmentOf(vault, ['--pristine', '--only', 'db/user'], {
      env: { MINE: 'x', VAULT_TOKEN: 't' },
    });
    expect(pristine).not.toHaveProperty('MINE');
    expect(pristine).toMatchObject({ DB_USER: 'ada', HOME: vault.folder });
    writeFileSync(
      vault.in('app.env'),
      'PLAIN=text\nUSER_NAME=vault:///db/user\nLIVE=vault://production/p\nPW="vault:///db/credential#password"\n',
    );
    const file = await environmentOf(vault, ['--env-file', 'app.env']);
    expect(file).toMatchObject({ PLAIN: 'text', USER_NAME: 'ada', LIVE: 'live', PW: 'pw' });
    expect(file).not.toHaveProperty('CANARY');
    expect(await environmentOf(vault, ['-e', 'production'])).toMatchObject({ P: 'live' });
  });

  scenario('refuses values that cannot be a variable, without showing them', async (vault) => {
    await vault.put('bytes', Uint8Array.of(0xff, 0xfe));
    await vault.put('nul', `${vault.canary.value}\0`);
    await vault.put('long', 'x'.repeat(200_000));
    for (const name of ['bytes', 'nul', 'long']) {
      expect(await vault.fails(125, ['exec', '--only', name, '--', 'true'])).toContain(name);
    }
    const { stdout } = await vault.ok(['exec', '--file', 'F=long', '--', '/bin/sh', '-c', 'wc -c < $F']);
    expect(stdout.toString().trim()).toBe('200000');
    const input = await vault.ok(['exec', '--stdin', 'bytes', '--', '/usr/bin/od', '-An', '-tx1']);
    expect(input.stdout.toString().trim()).toBe('ff fe');
  });

  scenario('masks what the program prints', async (vault) => {
    const script =
      'echo "a $CANARY b"; echo "$CANARY" >&2; printf %s "$CANARY" | base64 -w0; printf %s "$CANARY" | od -An -tx1 | tr -d " \\n"';
    const { stdout, stderr } = await vault.ok(['exec', '--mask', ...sh(script)]);
    expect(stdout.toString()).toMatch(/^a .+ b\n/u);
    expect(stderr).not.toContain(vault.canary.value);
    // Split over writes, with time between them.
    const half = vault.canary.value.length / 2;
    const slow = `printf %.${half}s "$CANARY"; sleep 0.3; printf %s "$CANARY" | tail -c ${half}`;
    await vault.ok(['exec', '--mask', ...sh(slow)]);
    expect(await vault.run(['exec', '--mask', ...sh('echo ok; exit 4')])).toMatchObject({ status: 4 });
  });

  scenario('lends a secret as a file that goes afterwards', async (vault) => {
    const script = 'stat -c %a "$F"; cat "$F"; printf "\\n%s\\n" "$F"; ls -ld "$(dirname "$F")" | cut -c1-10';
    const { stdout } = await vault.ok(['exec', '--file', 'F=canary', ...sh(script)], { shows: true });
    const [mode, value, file, folder] = stdout.toString().split('\n');
    expect(mode).toMatch(/^[46]00$/u);
    expect(value).toBe(vault.canary.value);
    expect(folder).toBe('drwx------');
    expect(existsSync(file ?? '')).toBe(false);
    const killed = await vault.shell(`$VAULT exec --file F=canary -- sh -c 'echo "$F" > where; kill -9 $$'`);
    expect(killed.status).toBe(137);
    expect(existsSync(readFileSync(vault.in('where'), 'utf8').trim())).toBe(false);
    const env = await environmentOf(vault, ['--file', 'F=canary']);
    expect(env).not.toHaveProperty('CANARY');
  });

  scenario(
    'takes the place of this process: same number, no value in arguments, no descriptors left',
    async (vault) => {
      const script =
        'echo $$; tr "\\0" " " < /proc/$$/cmdline; for n in 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$n && echo open-$n; done; cat /proc/$$/coredump_filter';
      const ended = await vault.ok(['exec', ...sh(script)]);
      const [pid, rest] = ended.stdout.toString().split('\n');
      expect(pid).toBe(String(ended.pid));
      // Asked of the shell without a pipe or a folder: those would be descriptors of its own.
      expect(rest ?? '').not.toMatch(/open-\d/u);
      expect(ended.stdout.toString()).not.toMatch(/open-\d/u);
      const filter = readFileSync('/proc/self/coredump_filter', 'utf8').trim();
      expect(ended.stdout.toString()).toContain(filter);
    },
  );

  scenario('shows no value in the arguments or environment of the watching process', async (vault) => {
    const child = spawn(
      binary,
      ['exec', '--timeout', '1m', '--mask', '--', '/bin/sh', '-c', 'echo ready; read line'],
      {
        env: vault.environment(),
        cwd: vault.folder,
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    const own = `/proc/${child.pid ?? 0}`;
    expect(vault.canary.isIn(readFileSync(`${own}/cmdline`))).toBe(false);
    expect(vault.canary.isIn(readFileSync(`${own}/environ`))).toBe(false);
    const children = readFileSync(`${own}/task/${child.pid ?? 0}/children`, 'utf8')
      .trim()
      .split(' ');
    for (const pid of children) expect(vault.canary.isIn(readFileSync(`/proc/${pid}/cmdline`))).toBe(false);
    child.stdin.end('\n');
    const [status] = (await once(child, 'exit')) as [number | null];
    expect(status).toBe(0);
  });

  for (const flags of [['--timeout', '1m'], ['--mask'], ['--stdin', 'canary'], ['--file', 'F=canary']]) {
    scenario(
      `the watching process of exec ${flags.join(' ')} writes no memory into a core file`,
      async (vault) => {
        const child = spawn(binary, ['exec', ...flags, '--', '/bin/sh', '-c', 'echo ready; sleep 30'], {
          env: vault.environment(),
          cwd: vault.folder,
        });
        await once(child.stdout, 'data');
        // The program may be up before the filter is back.
        const filter = `/proc/${child.pid ?? 0}/coredump_filter`;
        await vi.waitFor(() => {
          expect(readFileSync(filter, 'utf8').trim()).toBe('00000000');
        }, 10_000);
        child.kill('SIGKILL');
      },
    );
  }

  scenario('hands on standard streams and arguments as they are', async (vault) => {
    const cat = await vault.ok(['exec', '--', 'cat'], { input: Uint8Array.of(0, 1, 255) });
    expect([...cat.stdout]).toEqual([0, 1, 255]);
    const watched = await vault.ok(['exec', '--timeout', '1m', '--', 'cat'], {
      input: Uint8Array.of(0, 1, 255),
    });
    expect([...watched.stdout]).toEqual([0, 1, 255]);
    const args = await vault.ok(['exec', '--', 'printf', '%s|', '--json', '-e', 'a b', '', '$x', '--', 'é']);
    expect(args.stdout.toString()).toBe('--json|-e|a b||$x|--|é|');
    const closed = await vault.shell(`$VAULT exec -- yes | head -1`);
    expect(closed).toMatchObject({ stderr: '' });
    expect(closed.stdout.toString()).toBe('y\n');
  });

  scenario('is recorded with the names of what it handed over', async (vault) => {
    await vault.put('second', 'x');
    await vault.ok(['exec', '--', 'true']);
    const [entry] = (await vault.json(['audit', '--op', 'exec'])) as { secrets: { name: string }[] }[];
    expect(entry?.secrets.map(({ name }) => name).sort()).toEqual(['canary', 'second']);
    const { stdout } = await vault.ok(['run', '--', 'printenv', 'SECOND']);
    expect(stdout.toString()).toBe('x\n');
  });
});
