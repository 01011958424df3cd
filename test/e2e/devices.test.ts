/**
 * A device beside a passphrase, with real tokens of SoftHSM: both are needed, a wrong PIN is sent once and to no other device, and
 * neither PIN nor passphrase is to be seen anywhere. docs/decisions/0007-devices.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { binary } from '../binary-is-built.ts';
import { fastKdf, passphrase, type Variables } from '../support/binary-vault.ts';
import { deviceScenario, deviceUri, type DeviceVault } from '../support/device-vault.ts';
import { whoShows } from '../support/process-watch.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { SoftTokens, softModule, softTokensMissing } from '../support/soft-token.ts';

const missing = await softTokensMissing();
const skipped = missing === null ? '' : ` (SKIPPED: ${missing})`;

interface Slot {
  readonly id: string;
  readonly type: string;
  readonly inUse: boolean;
  readonly device: string | null;
}

const get = ['get', 'canary'] as const;

async function slots(vault: DeviceVault, env: Variables = {}): Promise<Slot[]> {
  return (await vault.json(['slot', 'ls'], { env })) as Slot[];
}

async function opens(vault: DeviceVault, env: Variables): Promise<void> {
  const { stdout } = await vault.ok(get, { env, shows: true });
  expect(stdout.toString()).toBe(vault.canary.value);
}

/** Must be a failed unlock that says this. */
async function refuses(vault: DeviceVault, env: Variables, says: RegExp): Promise<void> {
  expect(await vault.fails(4, get, { env })).toMatch(says);
}

/** The passphrase of `init` is taken away, so that the device is the only way in. */
async function leaveDeviceOnly(vault: DeviceVault): Promise<void> {
  await vault.addDevice();
  const env = vault.withDevice();
  const other = (await slots(vault, env)).find(({ type }) => type === 'passphrase')?.id ?? '';
  await vault.ok(['slot', 'rm', other, '--yes', '--no-recovery'], { env });
  expect(await slots(vault, env)).toMatchObject([{ type: 'pkcs11', inUse: true }]);
}

/** A terminal without anything that says how to unlock. */
function at(vault: DeviceVault, args: readonly string[], more: Variables = {}): PseudoTerminal {
  const all = vault.environment({ TERM: 'xterm', VAULT_PASSPHRASE: undefined, ...vault.drawer(), ...more });
  const env = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new PseudoTerminal(binary, args, { env, cwd: vault.folder, stdout: 'pipe' });
}

async function answer(terminal: PseudoTerminal, question: string, text: string): Promise<void> {
  expect((await terminal.sees(question)).echo, question).toBe(false);
  terminal.type(`${text}\r`);
}

function expectUnseen(vault: DeviceVault, terminal: PseudoTerminal): void {
  vault.expectNotShown(terminal.screen + terminal.stdout);
  expect(terminal.screen).not.toContain(passphrase);
  expect(terminal.after?.all).toEqual(terminal.before?.all);
}

describe.skipIf(missing !== null)(`a device${skipped}`, () => {
  deviceScenario('and its passphrase are both needed', async (vault) => {
    const { stderr } = await vault.addDevice();
    expect(stderr).toMatch(/^vault: pkcs11 added, [\w-]{11}\n$/mu);
    const env = vault.withDevice();
    await opens(vault, env);
    expect(await slots(vault, env)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'pkcs11', inUse: true, device: deviceUri }),
        expect.objectContaining({ type: 'passphrase', inUse: false, device: null }),
      ]),
    );
    // The other passphrase alone still does.
    await opens(vault, {});

    const wrong = { VAULT_PASSPHRASE_FILE: undefined, VAULT_PASSPHRASE: passphrase };
    await refuses(vault, vault.withDevice(wrong), /wrong passphrase, or another device/u);
    const empty = { VAULT_PASSPHRASE_FILE: undefined, VAULT_PASSPHRASE: '' };
    await refuses(vault, vault.withDevice(empty), /wrong passphrase/u);
    const without = { VAULT_PKCS11_PIN_FILE: undefined, VAULT_PKCS11_MODULE: undefined };
    await refuses(vault, vault.withDevice(without), /wrong passphrase/u);
    const noPin = { VAULT_PKCS11_PIN_FILE: undefined };
    await refuses(vault, vault.withDevice(noPin), /"work".* wants its PIN[^]*VAULT_PKCS11_PIN_FILE/u);
  });

  deviceScenario('gets a wrong PIN once', async (vault) => {
    await vault.addDevice();
    const { environment, runs } = vault.tokens.recordingTool();
    const bad = vault.in('bad-pin');
    writeFileSync(bad, 'not-the-pin');
    const env = vault.withDevice({ ...environment, HOME: vault.folder, VAULT_PKCS11_PIN_FILE: bad });
    await refuses(
      vault,
      env,
      /wrong PIN for the token "work" \(serial "[0-9a-f]+"\)\n.*not tried again; few tries/u,
    );
    expect(runs().filter((run) => run.includes('not-the-pin'))).toHaveLength(1);
    const before = runs().length;
    // What cannot be a PIN is not sent at all.
    writeFileSync(bad, 'no');
    await refuses(vault, env, /cannot be the PIN/u);
    expect(
      runs()
        .slice(before)
        .filter((run) => run.includes('VAULT_PKCS11_PIN=')),
    ).toEqual([]);
    await opens(vault, vault.withDevice());
    expect(await vault.json(['audit', '--op', 'unlock'])).toHaveLength(2);
  });

  deviceScenario('that is not there is a failed unlock, and its PIN goes nowhere', async (vault) => {
    await vault.addDevice();
    const none = new SoftTokens();
    const others = new SoftTokens();
    vault.addToken(others, 'home', vault.pin.value);
    for (const drawer of [none, others]) {
      const { environment, runs } = drawer.recordingTool();
      const env = vault.withDevice({ ...environment, HOME: vault.folder });
      await refuses(vault, env, /device is not there: pkcs11:token=work;object=vault\n.*plug it in/u);
      expect(runs().length).toBeGreaterThan(0);
      expect(runs().filter((run) => run.includes(vault.pin.value))).toEqual([]);
    }
  });

  deviceScenario('of the same label is another one', async (vault) => {
    await vault.addDevice();
    const same = new SoftTokens();
    vault.addToken(same, 'work', vault.pin.value);
    await refuses(vault, vault.withDevice(vault.drawer(same)), /wrong passphrase, or another device/u);
    const locked = new SoftTokens();
    vault.addToken(locked, 'work', 'another pin');
    await refuses(vault, vault.withDevice(vault.drawer(locked)), /wrong PIN for the token "work"/u);
    const bare = new SoftTokens();
    bare.add('work', vault.pin.value);
    await refuses(vault, vault.withDevice(vault.drawer(bare)), /does not have the private key/u);
  });

  deviceScenario('shows PIN and passphrase to pkcs11-tool’s environment at most', async (vault) => {
    const { environment, runs } = vault.tokens.recordingTool();
    const work = async (): Promise<void> => {
      await vault.addDevice(deviceUri, { ...environment, HOME: vault.folder });
      await opens(vault, vault.withDevice({ ...environment, HOME: vault.folder }));
    };
    const passphraseShown = await whoShows(vault.devicePassphrase, async () => {
      const pinShown = await whoShows(vault.pin, work);
      expect([...pinShown.arguments]).toEqual([]);
      expect(pinShown.environment.size).toBeGreaterThan(0);
      for (const command of pinShown.environment) expect(command).toMatch(/pkcs11-tool .*--pin env:/u);
    });
    expect([...passphraseShown.arguments, ...passphraseShown.environment]).toEqual([]);
    for (const run of runs()) expect(run).not.toMatch(/VAULT_PASSPHRASE|PIN_FILE/u);
    vault.expectNotShown(readFileSync(vault.log));
    vault.expectNotShown(readFileSync(vault.file));
  });

  deviceScenario('is asked alone where several could be', async (vault) => {
    const two = new SoftTokens();
    const serial = vault.addToken(two, 'other', 'other pin');
    const otherPin = vault.in('other-pin');
    writeFileSync(otherPin, 'other pin');
    await vault.addDevice();
    // Unlocked with the passphrase alone: what is said of the new device stands in its URI.
    const add = ['slot', 'add', '--new-passphrase-file', vault.passphraseFile, ...fastKdf, '--pkcs11'];
    await vault.ok(
      [...add, `pkcs11:serial=${serial};id=%01?module-path=${softModule}&pin-source=other-pin`],
      {
        env: vault.drawer(two),
      },
    );

    for (const [drawer, pinFile, label] of [
      [vault.tokens, vault.pinFile, 'work'],
      [two, otherPin, 'other'],
    ] as const) {
      const { environment, runs } = drawer.recordingTool();
      const more = { ...environment, HOME: vault.folder, VAULT_PKCS11_PIN_FILE: pinFile };
      const env = vault.withDevice(more);
      await opens(vault, env);
      const pin = readFileSync(pinFile, 'utf8').trim();
      expect(runs().filter((run) => run.includes('VAULT_PKCS11_PIN=')).length).toBe(2);
      expect(runs().filter((run) => run.includes(`VAULT_PKCS11_PIN=${pin}\0`)).length).toBe(2);
      const used = (await slots(vault, env)).find(({ inUse }) => inUse);
      expect(used?.device).toContain(label === 'work' ? 'token=work' : `serial=${serial}`);
    }
  });

  deviceScenario('is asked for at a terminal, hidden, with its PIN', async (vault) => {
    await vault.addDevice();
    const terminal = at(vault, get, { VAULT_PKCS11_MODULE: softModule });
    await answer(terminal, 'passphrase for', vault.devicePassphrase.value);
    await answer(terminal, 'PIN of "work":', vault.pin.value);
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toBe(vault.canary.value);
    expectUnseen(vault, terminal);

    const wrong = at(vault, get, { VAULT_PKCS11_MODULE: softModule });
    await answer(wrong, 'passphrase for', vault.devicePassphrase.value);
    await answer(wrong, 'PIN of "work":', 'wrong pin');
    expect(await wrong.end()).toBe(4);
    expect(wrong.screen).toMatch(/wrong PIN for the token "work"/u);
    expect(wrong.screen).not.toContain('wrong pin');
    expect(wrong.screen.split('wrong PIN')[1]).not.toMatch(/PIN of "|passphrase for/u);

    const again = at(vault, get, { VAULT_PKCS11_MODULE: softModule });
    await answer(again, 'passphrase for', vault.devicePassphrase.value);
    await again.sees('a wrong PIN was given before');
    await answer(again, 'PIN of "work":', vault.pin.value);
    expect(await again.end()).toBe(0);
  });

  deviceScenario('is added at a terminal, while nobody else has to wait', async (vault) => {
    const terminal = at(vault, ['slot', 'add', '--pkcs11', deviceUri, ...fastKdf], {
      VAULT_PKCS11_MODULE: softModule,
    });
    await answer(terminal, 'passphrase for', passphrase);
    await answer(terminal, 'new passphrase:', vault.devicePassphrase.value);
    await answer(terminal, 'the same again:', vault.devicePassphrase.value);
    await terminal.sees('PIN of "work":');
    await vault.put('meanwhile', 'x');
    terminal.type(`${vault.pin.value}\r`);
    expect(await terminal.end()).toBe(0);
    expectUnseen(vault, terminal);
    await opens(vault, vault.withDevice());
    expect(await vault.text('meanwhile')).toBe('x');
  });

  deviceScenario('that is the only way in needs no variable', async (vault) => {
    await leaveDeviceOnly(vault);
    const terminal = at(vault, get);
    await answer(terminal, 'passphrase for', vault.devicePassphrase.value);
    await answer(terminal, 'PIN of "work":', vault.pin.value);
    expect(await terminal.end()).toBe(0);
    expect(terminal.stdout).toBe(vault.canary.value);
    expectUnseen(vault, terminal);
    await opens(vault, vault.withDevice());
    await opens(vault, vault.withDevice({ VAULT_PKCS11_MODULE: undefined }));
    await refuses(vault, vault.drawer(), /wants its PIN/u);
  });

  deviceScenario('that is removed opens nothing any more', async (vault) => {
    await vault.addDevice();
    await opens(vault, vault.withDevice());
    const device = (await slots(vault)).find(({ type }) => type === 'pkcs11')?.id ?? '';
    const inUse = await vault.fails(2, ['slot', 'rm', device, '--yes', '--no-recovery'], {
      env: vault.withDevice(),
    });
    expect(inUse).toMatch(/just used/u);
    expect(await vault.json(['slot', 'rm', device, '--yes', '--no-recovery'])).toMatchObject({
      renewed: true,
      removed: [{ id: device, type: 'pkcs11' }],
    });
    await refuses(vault, vault.withDevice(), /wrong passphrase/u);
    await opens(vault, {});
    expect(await slots(vault)).toMatchObject([{ type: 'passphrase' }]);
  });

  deviceScenario('is two factors', async (vault) => {
    const set = ['policy', 'set', 'factors.everyone', '2'];
    expect(await vault.fails(5, set)).toMatch(/two factors[^]*--pkcs11 URI/u);
    await vault.addDevice();
    await vault.ok(set);
    expect(await vault.fails(5, get)).toMatch(/two factors[^]*--pkcs11 URI/u);
    await opens(vault, vault.withDevice());
    const weaker = ['slot', 'add', '--new-passphrase-file', 'passphrase', ...fastKdf];
    const options = { env: vault.withDevice() };
    expect(await vault.fails(2, weaker, options)).toMatch(/two factors/u);
    await vault.addDevice(`pkcs11:serial=${vault.serial};id=%01`, vault.withDevice());
  });

  deviceScenario('stays beside a new passphrase', async (vault) => {
    await vault.addDevice();
    const next = { VAULT_PASSPHRASE_FILE: undefined, VAULT_PASSPHRASE: 'next' };
    const changed = await vault.run(['passwd', '--new-passphrase-file', '-', ...fastKdf, '--json'], {
      env: vault.withDevice(),
      input: 'next',
    });
    expect(changed.stderr).toMatch(/another credential of yours keeps the passphrase/u);
    expect(JSON.parse(changed.stdout.toString())).toMatchObject({
      renewed: false,
      removed: [{ type: 'pkcs11' }],
    });
    await refuses(vault, vault.withDevice(), /wrong passphrase, or another device/u);
    await opens(vault, vault.withDevice(next));
    await refuses(vault, { VAULT_PASSPHRASE: 'next' }, /wrong passphrase/u);
    await opens(vault, {});

    const done = await vault.json(
      ['passwd', '--compromised', '--no-recovery', '--new-passphrase-file', vault.passphraseFile, ...fastKdf],
      { env: vault.withDevice(next) },
    );
    expect(done).toMatchObject({ renewed: true });
    expect(await slots(vault, vault.withDevice())).toMatchObject([{ type: 'pkcs11', device: deviceUri }]);
    await opens(vault, vault.withDevice());
    await refuses(vault, vault.withDevice(next), /wrong passphrase, or another device/u);
    await refuses(vault, {}, /device is not there/u);
  });

  deviceScenario('gives way to a key file that is named', async (vault) => {
    await vault.addDevice();
    writeFileSync(vault.in('key'), vault.canary.value.repeat(2));
    vault.asked(vault.in('key'));
    const add = ['slot', 'add', '--new-passphrase-file', '-', '--key-file', 'key', ...fastKdf];
    await vault.ok(add, { input: 'with a file' });
    const env = { ...vault.drawer(), VAULT_PASSPHRASE: 'with a file', VAULT_PKCS11_MODULE: softModule };
    const { stdout } = await vault.ok([...get, '--key-file', 'key'], { env, shows: true });
    expect(stdout.toString()).toBe(vault.canary.value);
    await opens(vault, { ...env, VAULT_KEY_FILE: 'key' });
  });

  deviceScenario('that cannot be one is refused, and nothing is changed', async (vault) => {
    vault.tokens.addKey(vault.serial, { type: 'EC:prime256v1', label: 'ec', id: '02' });
    const before = readFileSync(vault.file);
    const add = (uri: string): string[] => ['slot', 'add', '--pkcs11', uri, ...fastKdf];
    const given = ['--new-passphrase-file', vault.passphraseFile];
    const env = { ...vault.drawer(), VAULT_PKCS11_PIN_FILE: vault.pinFile, VAULT_PKCS11_MODULE: softModule };
    const refused: readonly (readonly [number, readonly string[], RegExp])[] = [
      [2, [...add('pkcs11:token=work;object=ec'), ...given], /ECDSA/u],
      [2, [...add('pkcs11:token=work'), ...given], /more than one key/u],
      [4, [...add('pkcs11:token=work;object=none'), ...given], /private key that is wanted/u],
      [
        4,
        [...add('pkcs11:token=none;object=vault'), ...given],
        /pkcs11:token=none;object=vault is not there/u,
      ],
      // Before a passphrase is asked for, which nobody here could give.
      [2, add('work'), /must begin with pkcs11:/u],
      [2, add('pkcs11:token=work;colour=red'), /colour is not supported/u],
      [2, add(`pkcs11:token=work?pin-value=${vault.pin.value}`), /a PIN may not stand in it/u],
      [2, [...add(deviceUri), '--key-file', vault.pinFile], /one credential at a time/u],
      [2, [...add(deviceUri), '--passphrase'], /one credential at a time/u],
      [2, ['slot', 'add'], /which kind of credential/u],
    ];
    for (const [status, args, says] of refused)
      expect(await vault.fails(status, args, { env })).toMatch(says);
    const relative = { ...env, VAULT_PKCS11_MODULE: './library.so' };
    expect(await vault.fails(2, add(deviceUri), { env: relative })).toMatch(/not the absolute path/u);
    expect(readFileSync(vault.file)).toEqual(before);
  });

  deviceScenario('says where its library is each time, and the vault never does', async (vault) => {
    const args = ['slot', 'add', '--pkcs11', `${deviceUri}?module-path=${softModule}`, ...fastKdf];
    const env = { ...vault.drawer(), VAULT_PKCS11_PIN_FILE: vault.pinFile };
    const words = [...args, '--new-passphrase-file', vault.passphraseFile];
    const { stderr } = await vault.ok(words, { env });
    expect(stderr).toMatch(/warning: the library is not kept with the slot: set VAULT_PKCS11_MODULE/u);
    expect(readFileSync(vault.file, 'utf8')).not.toContain('softhsm');
    await opens(vault, vault.withDevice());
    // A library that is not one is loaded by nobody else’s word.
    const bad = vault.withDevice({ VAULT_PKCS11_MODULE: '/nowhere.so' });
    expect(await vault.fails(9, get, { env: bad })).toMatch(/cannot load the PKCS#11 library/u);
  });

  deviceScenario('is not known to a program that exec runs', async (vault) => {
    await vault.addDevice();
    const { stdout } = await vault.ok(['exec', '--only', 'canary', '--', 'env'], {
      env: vault.withDevice(),
      shows: true,
    });
    const seen = stdout.toString();
    expect(seen).not.toMatch(/VAULT_PASSPHRASE|PIN/u);
    expect(seen).toContain(`VAULT_PKCS11_MODULE=${softModule}`);
  });
});
