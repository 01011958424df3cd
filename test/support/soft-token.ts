/** Tokens in software: SoftHSM's, each in a folder of its own, with keys made by pkcs11-tool. */
import { execFileSync } from 'node:child_process';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { debianPackages } from './debian-packages.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const softModule = '/usr/lib/softhsm/libsofthsm2.so';

/** What is missing for tests with real tokens, or `null`; installed in CI. */
export async function softTokensMissing(): Promise<string | null> {
  return debianPackages({
    softhsm2: ['softhsm2-util', '--version'],
    opensc: ['sh', '-c', 'command -v pkcs11-tool'],
    'p11-kit-modules': ['sh', '-c', 'ls /usr/lib/*/p11-kit-proxy.so'],
  });
}

export interface NewKey {
  readonly type: 'rsa:1024' | 'rsa:2048' | 'rsa:3072' | 'EC:edwards25519' | 'EC:prime256v1';
  readonly label?: string;
  /** Hexadecimal. */
  readonly id?: string;
}

interface RecordingTool {
  readonly environment: Readonly<Record<string, string>>;
  /** Arguments, a line feed, and the environment, each with NULs. */
  readonly runs: () => string[];
}

/** A drawer of tokens, as a machine has readers: SoftHSM sees those of one configuration. */
export class SoftTokens {
  readonly folder = temporaryFolder();
  readonly #pins = new Map<string, string>();

  constructor() {
    mkdirSync(path.join(this.folder, 'tokens'));
    const lines = [
      `directories.tokendir = ${this.folder}/tokens`,
      'objectstore.backend = file',
      'log.level = ERROR',
    ];
    writeFileSync(path.join(this.folder, 'softhsm2.conf'), `${lines.join('\n')}\n`);
  }

  get environment(): Record<string, string> {
    return {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: this.folder,
      SOFTHSM2_CONF: path.join(this.folder, 'softhsm2.conf'),
    };
  }

  /** A pkcs11-tool that writes down how it was run, arguments and environment, and takes its time, before it becomes the real one. */
  recordingTool(): RecordingTool {
    const folder = path.join(this.folder, `recorder-${readdirSync(this.folder).length}`);
    const runs = path.join(folder, 'runs');
    mkdirSync(runs, { recursive: true });
    const script = `#!/usr/bin/python3
import os, sys, time
with open(os.path.join(${JSON.stringify(runs)}, str(time.monotonic_ns())), 'wb') as file:
    file.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])) + b'\\n')
    file.write(open('/proc/self/environ', 'rb').read())
time.sleep(0.25)
os.execv('/usr/bin/pkcs11-tool', ['pkcs11-tool', *sys.argv[1:]])
`;
    writeFileSync(path.join(folder, 'pkcs11-tool'), script, { mode: 0o755 });
    return {
      environment: { ...this.environment, PATH: `${folder}:/usr/bin:/bin` },
      runs: () =>
        readdirSync(runs)
          .toSorted()
          .map((name) => readFileSync(path.join(runs, name), 'latin1')),
    };
  }

  /** The new token's serial. */
  add(label: string, pin: string): string {
    const before = new Set(this.#serials());
    this.#run('softhsm2-util', [
      '--init-token',
      '--free',
      '--label',
      label,
      '--so-pin',
      '87654321',
      '--pin',
      pin,
    ]);
    const serial = this.#serials().find((candidate) => !before.has(candidate)) ?? '';
    this.#pins.set(serial, pin);
    return serial;
  }

  addKey(serial: string, { type, label, id }: NewKey): void {
    const more = [
      ...(label === undefined ? [] : ['--label', label]),
      ...(id === undefined ? [] : ['--id', id]),
    ];
    this.#tool(serial, ['--keypairgen', '--key-type', type, '--usage-sign', ...more]);
  }

  removeKey(serial: string, id: string): void {
    this.#tool(serial, ['--delete-object', '--type', 'privkey', '--id', id]);
  }

  /** Whether a token has a mechanism, in the words of pkcs11-tool. */
  can(serial: string, mechanism: string): boolean {
    const listed = this.#tool(serial, ['--list-mechanisms']).toString();
    return new RegExp(`^ *${mechanism}\\b`, 'mu').test(listed);
  }

  /** The public half of a key, by its label. */
  publicKey(serial: string, label: string): KeyObject {
    const listed = this.#tool(serial, ['--list-objects', '--type', 'pubkey']).toString();
    const object =
      listed.split(/^(?=\w)/mu).find((block) => block.includes(`  label:      ${label}\n`)) ?? '';
    // OpenSC of Debian 12 does not export Ed25519 as DER that others read.
    const point = /EC_POINT: *0420([0-9a-f]{64})$/mu.exec(object)?.[1];
    const der =
      point === undefined
        ? this.#tool(serial, ['--read-object', '--type', 'pubkey', '--label', label])
        : Buffer.from(`302a300506032b6570032100${point}`, 'hex');
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  }

  /** The decimal number of a token's slot. */
  slotOf(serial: string): string {
    return String(BigInt(this.#slots().get(serial) ?? '0'));
  }

  #slots(): Map<string, string> {
    const text = this.#run('pkcs11-tool', ['--module', softModule, '--list-token-slots']).toString();
    const found = text.matchAll(/^Slot \d+ \((0x[0-9a-f]+)\)(?:(?!^Slot)[^])*?serial num *: (\S+)/gmu);
    return new Map(Array.from(found, ([, slot = '', serial = '']) => [serial, slot]));
  }

  #serials(): string[] {
    return [...this.#slots().keys()];
  }

  #tool(serial: string, args: readonly string[]): Buffer {
    const slot = this.slotOf(serial);
    const common = ['--module', softModule, '--slot', slot, '--login', '--pin', this.#pins.get(serial) ?? ''];
    return this.#run('pkcs11-tool', [...common, ...args]);
  }

  #run(file: string, args: readonly string[]): Buffer {
    return execFileSync(file, args, { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  }
}
