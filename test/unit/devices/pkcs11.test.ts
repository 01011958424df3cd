/** What real tokens do not do at will: hang, crash, lie, ask for a touch. A script stands in for pkcs11-tool. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { utf8 } from '../../../src/crypto/bytes.ts';
import { unattendedPin } from '../../../src/devices/pkcs11-pin.ts';
import { enrolDevice, signWithDevice, type SignRequest } from '../../../src/devices/pkcs11.ts';
import { parsePkcs11Uri } from '../../../src/format/pkcs11-uri.ts';
import { failureOf } from '../../support/failure.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Lines of shell for each of the three things that it is asked for. */
interface Script {
  readonly slots?: string;
  readonly keys?: string;
  readonly sign?: string;
}

interface Stand {
  readonly folder: string;
  readonly environment: Record<string, string>;
  readonly request: (more?: Partial<SignRequest>) => SignRequest;
  /** One line a run: arguments, folder, PIN. */
  readonly log: () => string[];
}

const slot = (flags: string): string => `cat <<'E'
Available slots:
Slot 0 (0x7): Reader
  token label        : tok
  token manufacturer : m
  token model        : o
  token flags        : ${flags}
  serial num         : 1
  pin min/max        : 4/8
E`;
const usual = 'login required, token initialized, PIN initialized';
const keyOf = (type: string): string =>
  `printf 'Private Key Object; ${type}\\n  label:      k\\n  ID:         01\\n'`;
const bytes = (count: number): string => `head -c ${count} /dev/zero`;

function stand({ slots = slot(usual), keys = keyOf('RSA'), sign = bytes(256) }: Script = {}): Stand {
  const folder = temporaryFolder();
  const log = path.join(folder, 'log');
  writeFileSync(log, '');
  const script = `#!/bin/sh
echo "$* | $(pwd) | $VAULT_PKCS11_PIN" >> ${log}
case "$*" in
*--list-token-slots*)
${slots}
;;
*--list-objects*)
${keys}
;;
*--sign*)
${sign}
;;
esac
`;
  writeFileSync(path.join(folder, 'pkcs11-tool'), script, { mode: 0o755 });
  const environment = { PATH: `${folder}:/usr/bin:/bin` };
  return {
    folder,
    environment,
    request: (more) => ({
      uri: parsePkcs11Uri('pkcs11:token=tok;id=%01'),
      module: '/library.so',
      environment,
      message: utf8('message'),
      pin: async () => Promise.resolve('1234'),
      ...more,
    }),
    log: () => readFileSync(log, 'utf8').split('\n').slice(0, -1),
  };
}

const fails = (text: string, status = 1): string => `echo '${text}' >&2; exit ${status}`;

test('what it is asked, in the root folder, with the PIN in its environment', async () => {
  const { request, log } = stand({ sign: `cat > /dev/null; ${bytes(256)}` });
  expect(await signWithDevice(request())).toEqual(new Uint8Array(256));
  expect(log()).toEqual([
    '--module /library.so --list-token-slots | / | ',
    '--module /library.so --slot 7 --login --pin env:VAULT_PKCS11_PIN --list-objects --type privkey | / | 1234',
    '--module /library.so --slot 7 --login --pin env:VAULT_PKCS11_PIN --sign --mechanism RSA-PKCS --id 01 | / | 1234',
  ]);
});

test('what is signed comes in on standard input', async () => {
  const { folder, request } = stand({
    sign: `cat > "$(dirname $0)/input"; ${bytes(256)}`,
  });
  await signWithDevice(request());
  const digest = createHash('sha256').update('message').digest('hex');
  expect(readFileSync(path.join(folder, 'input')).toString('hex')).toBe(
    `3031300d060960864801650304020105000420${digest}`,
  );
  const edwards = stand({ keys: keyOf('EC_EDWARDS'), sign: `cat > "$(dirname $0)/input"; ${bytes(64)}` });
  await signWithDevice(edwards.request());
  expect(readFileSync(path.join(edwards.folder, 'input'), 'utf8')).toBe('message');
  expect(edwards.log()[2]).toContain('--mechanism EDDSA');
});

test('a device with keys of its own for the PIN is left to ask for it', async () => {
  const { request, log } = stand({ slots: slot(`${usual}, PIN pad present`) });
  const pin = vi.fn<SignRequest['pin']>();
  await signWithDevice(request({ pin }));
  expect(pin).not.toHaveBeenCalled();
  expect(log()[1]).toBe('--module /library.so --slot 7 --login --list-objects --type privkey | / | ');
});

test('a device without login gets none', async () => {
  const { request, log } = stand({ slots: slot('token initialized') });
  const pin = vi.fn<SignRequest['pin']>();
  await signWithDevice(request({ pin }));
  expect(pin).not.toHaveBeenCalled();
  expect(log()[2]).toBe('--module /library.so --slot 7 --sign --mechanism RSA-PKCS --id 01 | / | ');
});

test('a locked PIN is said, not tried', async () => {
  const { request, log } = stand({ slots: slot(`${usual}, user PIN locked`) });
  const pin = vi.fn<SignRequest['pin']>();
  expect(await failureOf(signWithDevice(request({ pin })))).toMatchObject({
    name: 'UnlockError',
    message: expect.stringContaining('is locked') as string,
  });
  expect(pin).not.toHaveBeenCalled();
  expect(log()).toHaveLength(1);
});

test('the last try is not spent on a file', async () => {
  const { request, log } = stand({ slots: slot(`${usual}, final user PIN try`) });
  const failure = await failureOf(signWithDevice(request({ pin: unattendedPin(() => '1234') })));
  expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
  expect(failure.message).toMatch(/one try left/u);
  expect(log()).toHaveLength(1);
  // Somebody who types it may.
  await signWithDevice(
    request({ pin: async ({ triesLeft }) => Promise.resolve(triesLeft === 'one' ? '1234' : null) }),
  );

  const few = stand({ slots: slot(`${usual}, user PIN count low`) });
  await signWithDevice(few.request({ pin: unattendedPin(() => '1234') }));
});

test('a wrong PIN is sent once, and the token is asked what is left', async () => {
  const wrong = fails('error: PKCS11 function C_Login failed: rv = CKR_PIN_INCORRECT (0xa0)');
  const left = async (flags: string): Promise<string> => {
    const first = `if [ -e "$(dirname $0)/tried" ]; then ${slot(`${usual}${flags}`)}\nelse ${slot(usual)}\nfi`;
    const { request, log } = stand({ slots: first, keys: `touch "$(dirname $0)/tried"; ${wrong}` });
    const failure = await failureOf(signWithDevice(request()));
    expect(failure).toMatchObject({ name: 'UnlockError', exitCode: 4 });
    expect(log().filter((line) => line.endsWith('1234'))).toHaveLength(1);
    return `${failure.message}: ${failure.hint}`;
  };
  expect(await left('')).toMatch(/wrong PIN.*few tries are left/u);
  expect(await left(', final user PIN try')).toMatch(/wrong PIN.*ONE TRY IS LEFT/u);
  expect(await left(', user PIN locked')).toMatch(/is locked/u);
});

test('a wrong PIN is what is told even where the token went away', async () => {
  const slots = `if [ -e "$(dirname $0)/tried" ]; then exit 3; fi; ${slot(usual)}`;
  const keys = `touch "$(dirname $0)/tried"; ${fails('rv = CKR_PIN_INVALID (0xa1)')}`;
  const { request } = stand({ slots, keys });
  expect(await failureOf(signWithDevice(request()))).toMatchObject({ name: 'UnlockError', exitCode: 4 });
});

const failures: Record<string, readonly [script: Script, kind: string, exit: number, says: RegExp]> = {
  'PIN locked by this try': [{ keys: fails('rv = CKR_PIN_LOCKED (0xa4)') }, 'UnlockError', 4, /locked/u],
  'PIN expired': [{ keys: fails('rv = CKR_PIN_EXPIRED (0xa3)') }, 'UnlockError', 4, /expired/u],
  'PIN never set': [
    { keys: fails('rv = CKR_USER_PIN_NOT_INITIALIZED (0x102)') },
    'UnlockError',
    4,
    /no PIN yet/u,
  ],
  'a PIN that is wrong for the key alone': [
    { sign: fails('rv = CKR_PIN_INCORRECT (0xa0)') },
    'UnlockError',
    4,
    /wrong PIN/u,
  ],
  'key gone': [{ sign: fails('error: Private key not found') }, 'UnlockError', 4, /any more/u],
  'not touched': [{ sign: fails('rv = CKR_FUNCTION_REJECTED (0x200)') }, 'BackendError', 9, /not touched/u],
  'device error': [
    { sign: fails('error: C_Sign failed: rv = CKR_DEVICE_ERROR (0x30) SECRET') },
    'BackendError',
    9,
    /\(CKR_DEVICE_ERROR\)$/u,
  ],
  'failure without a word': [{ keys: 'exit 1' }, 'BackendError', 9, /failed$/u],
  'crash of the library': [{ sign: 'kill -SEGV $$' }, 'BackendError', 9, /ended by SIGSEGV/u],
  'no slots': [{ slots: fails('No slots.') }, 'UnlockError', 4, /not there/u],
  'too much output': [{ sign: bytes(2_000_000) }, 'BackendError', 9, /too much/u],
  'too many messages': [{ sign: `${bytes(2_000_000)} >&2` }, 'BackendError', 9, /too much/u],
  'no signature': [{ sign: 'true' }, 'BackendError', 9, /something else/u],
  'a message in the signature': [
    { sign: `echo 'Using slot 0'; ${bytes(256)}` },
    'BackendError',
    9,
    /something else/u,
  ],
  'half of one': [{ sign: bytes(255) }, 'BackendError', 9, /something else/u],
  'an EdDSA signature of RSA length': [{ keys: keyOf('EC_EDWARDS') }, 'BackendError', 9, /something else/u],
  'a key of another kind': [{ keys: keyOf('constructor') }, 'UsageError', 2, /constructor/u],
};
test.each(Object.entries(failures))('%s', async (_, [script, name, exitCode, expected]) => {
  const { request } = stand(script);
  const failure = await failureOf(signWithDevice(request()));
  expect(failure).toMatchObject({ name, exitCode });
  expect(failure.message).toMatch(expected);
  expect(`${failure.message} ${failure.hint}`).not.toMatch(/SECRET|1234/u);
});

test('a device that hangs is given up in time, whatever it does with signals', async () => {
  for (const sign of ['trap "" TERM INT HUP; sleep 9', 'sleep 9 & wait', 'exec sleep 9']) {
    const { folder, request } = stand({ sign: `echo $$ > "$(dirname $0)/pid"; ${sign}` });
    const started = performance.now();
    const failure = await failureOf(signWithDevice(request({ timeoutMs: 700 })));
    expect(failure).toMatchObject({ name: 'BackendError', exitCode: 9 });
    expect(failure.message).toMatch(/did not answer within 0.7 s/u);
    expect(performance.now() - started).toBeLessThan(5_000);
    const pid = readFileSync(path.join(folder, 'pid'), 'utf8').trim();
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 3_000);
  }
});

test.each([
  ['has signed', bytes(256), 'signed'],
  ['hangs', 'sleep 9 & wait', 'the device did not answer within 2 s'],
])('a process whose device %s can end', (_, sign, says) => {
  const { environment } = stand({ sign });
  const devices = JSON.stringify(path.resolve(import.meta.dirname, '../../../src/devices/pkcs11.ts'));
  const request = {
    uri: parsePkcs11Uri('pkcs11:token=tok;id=%01'),
    module: '/library.so',
    environment,
    timeoutMs: 2_000,
  };
  const program = `
    const { signWithDevice } = await import(${devices});
    const pin = async () => '1234';
    const onWait = () => undefined;
    const request = { ...${JSON.stringify(request)}, message: new Uint8Array(9), pin, onWait };
    await signWithDevice(request).then(() => console.log('signed'), ({ message }) => console.log(message));
    const done = performance.now();
    process.on('exit', () => console.log(performance.now() - done));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  const [said = '', left = ''] = stdout.split('\n');
  expect([said, stderr]).toEqual([says, '']);
  expect(Number(left)).toBeLessThan(500);
});

test('whoever waits hears of it, once, and only where there is something to wait for', async () => {
  const onWait = vi.fn<() => void>();
  await signWithDevice(stand().request({ onWait }));
  expect(onWait).not.toHaveBeenCalled();
  await signWithDevice(stand({ sign: `sleep 1.8; ${bytes(256)}` }).request({ onWait }));
  expect(onWait).toHaveBeenCalledTimes(1);
});

test('a device that signs differently each time is not enrolled', async () => {
  const { request } = stand({ sign: 'head -c 256 /dev/urandom' });
  const failure = await failureOf(enrolDevice(request()));
  expect(failure).toMatchObject({ name: 'UsageError', exitCode: 2 });
  expect(failure.message).toMatch(/differently each time/u);
  expect(await enrolDevice(stand().request())).toMatchObject({ signature: new Uint8Array(256) });
});

test('without OpenSC, the way to it is shown', async () => {
  const { request, folder } = stand();
  const failure = await failureOf(signWithDevice(request({ environment: { PATH: '/var/empty' } })));
  expect(failure).toMatchObject({ name: 'BackendError', exitCode: 9 });
  expect(failure.hint).toMatch(/opensc/u);
  writeFileSync(path.join(folder, 'pkcs11-tool'), '#!/no/such/interpreter\n');
  expect(await failureOf(signWithDevice(request()))).toMatchObject({ name: 'BackendError', exitCode: 9 });
});

test('a pkcs11-tool of the folder where somebody happens to be is not run', async () => {
  const here = stand();
  const elsewhere = stand();
  // Relative to the root folder, where it is looked for, and to this one, where it could be run.
  const relative = [here.folder.slice(1), path.relative(process.cwd(), here.folder)];
  for (const part of [...relative, '.', ''])
    await signWithDevice(here.request({ environment: { PATH: `${part}:${elsewhere.environment['PATH']}` } }));
  expect(here.log()).toEqual([]);
  expect(elsewhere.log()).toHaveLength(12);
});

test('a PATH of nothing but such parts is none', async () => {
  const { folder, request, log } = stand();
  await signWithDevice(request({ environment: { PATH: `.:${folder.slice(1)}:` } })).catch(() => undefined);
  expect(log()).toEqual([]);
});

test('the default library is p11-kit’s proxy, else what pkcs11-tool takes', async () => {
  const loads = stand();
  await signWithDevice(loads.request({ module: null }));
  expect(loads.log().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
    Array.from({ length: 3 }, () => '--module p11-kit-proxy.so'),
  );
  const refusesProxy = `case "$*" in *p11-kit*) ${fails('error: Failed to load pkcs11 module')};; esac; ${slot(usual)}`;
  const falls = stand({ slots: refusesProxy });
  await signWithDevice(falls.request({ module: null }));
  expect(falls.log().filter((line) => !line.includes('--module'))).toHaveLength(3);
  const named = stand({ slots: refusesProxy });
  const failure = await failureOf(signWithDevice(named.request({ module: 'p11-kit-proxy.so' })));
  expect(failure).toMatchObject({ name: 'BackendError' });
  expect(named.log()).toHaveLength(1);
});

test('none of our own credentials reach it', async () => {
  const { environment, folder, request } = stand({ sign: `env > "$(dirname $0)/env"; ${bytes(256)}` });
  const ours = {
    VAULT_PASSPHRASE: 'a',
    VAULT_ACCESS_TOKEN: 'b',
    VAULT_PKCS11_PIN_FILE: 'c',
    VAULT_AGE_IDENTITY: 'd',
  };
  await signWithDevice(
    request({ environment: { ...environment, ...ours, OPENSC_DEBUG: '9', MINE: 'kept' } }),
  );
  const seen = readFileSync(path.join(folder, 'env'), 'utf8');
  expect(seen).toContain('MINE=kept');
  expect(seen).not.toMatch(/PASSPHRASE|ACCESS_TOKEN|PIN_FILE|AGE_IDENTITY|OPENSC_DEBUG/u);
});
