/** The published types of the library: a program in TypeScript that installs it, at the compiler's strictest. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../support/binary-vault.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');
const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
const strictest = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: false,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  module: 'nodenext',
};

/** What the compiler says of a program that has `vault` in its node_modules; nothing if it is content. */
async function complaints(files: Readonly<Record<string, string>>, options: object): Promise<string> {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(root, path.join(folder, 'node_modules', 'vault'));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const config = { compilerOptions: { ...strictest, ...options }, files: Object.keys(files) };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { status, stdout } = await runProgram(process.execPath, [compiler, '-p', folder], { cwd: folder });
  expect(status === 0).toBe(stdout.length === 0);
  return stdout.toString();
}

/** Each line after `@ts-expect-error` must be refused, so nothing here may be `any`. */
const program = `
import { DatabaseCredential, Secret, SecretsManagerError, Vault, maskSecret, outcomes } from 'vault';
import type { ErrorCode, OpenOptions, SecretInfo, SecretType } from 'vault';

declare const maybe: string | undefined;
const options: OpenOptions = { path: 'x', token: maybe, stateFolder: null };
const vault: Vault = await Vault.open(options);
const secret: Secret = await vault.getSecret('a', { version: 'previous', environment: maybe });
const bytes: Uint8Array<ArrayBuffer> = secret.value;
const text: string = secret.text();
const info: SecretInfo = secret.info;
const type: SecretType = info.type;
const tag: string | undefined = info.tags['team'];
const credential: DatabaseCredential = await vault.getDatabaseCredential('db', { allowExpired: true });
const port: number | null = credential.port;
const key: string = await vault.getApiKey('key');
const same: boolean = await vault.verifySecret('a', bytes);
const { version }: { version: number } = await vault.rotateSecret('a', { generate: 'uuid', ifVersion: 2 });
const all: SecretInfo[] = await vault.listSecrets(undefined, { allEnvironments: true });
const masked: string = maskSecret(text) + maskSecret(bytes);
const closing: Promise<void> = vault[Symbol.asyncDispose]();
export const used = [type, tag, port, key, same, version, all, masked, closing];
export function codeOf(error: unknown): ErrorCode | null {
  return error instanceof SecretsManagerError && outcomes[error.code].exit === 3 ? error.code : null;
}

// @ts-expect-error no path
await Vault.open({ token: 'x' });
// @ts-expect-error an option that there is not
await Vault.open({ path: 'x', pasphrase: 'x' });
// @ts-expect-error opened, not made
new Vault();
// @ts-expect-error neither a value nor a generator
await vault.rotateSecret('a', {});
// @ts-expect-error both
await vault.rotateSecret('a', { value: 'x', generate: 'uuid' });
// @ts-expect-error a value that may be missing
await vault.rotateSecret('a', { value: maybe });
// @ts-expect-error not a number
export const wrong: number = secret.text();
// @ts-expect-error not text
export const number: string = (await vault.rotateSecret('a', { generate: 'uuid' })).version;
// @ts-expect-error not text
export const list: string = await vault.listSecrets();
// @ts-expect-error not text
export const host: number = (await vault.getDatabaseCredential('a')).host;
// @ts-expect-error no code
export const code: ErrorCode = 'NO_SUCH_CODE';
// @ts-expect-error metadata is not for writing
info.version = 2;
`;

const guide = readFileSync(path.join(root, 'docs/library.md'), 'utf8');

describe('types of the library', () => {
  it.each([
    ['nodenext', {}],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('need no others, and refuse what is wrong: %s', async (_, resolution) => {
    const options = { ...resolution, types: [], lib: ['es2022'] };
    expect(await complaints({ 'program.mts': program }, options)).toBe('');
  });

  it('are looked at: a mistake is told', async () => {
    const mistake =
      "import { Vault } from 'vault';\nexport const n: number = (await Vault.open({ path: 'x' })).path;\n";
    expect(await complaints({ 'program.mts': mistake }, { types: [] })).toContain('TS2322');
  });

  it('fit the examples of docs/library.md', async () => {
    const blocks = [...guide.matchAll(/```js\n([\s\S]*?)```/gu)].map(([, block = '']) => block);
    const files = Object.fromEntries(blocks.map((block, index) => [`example-${index}.mts`, block]));
    const node = { types: ['node'], typeRoots: [path.join(root, 'node_modules/@types')], lib: ['esnext'] };
    expect(blocks.length).toBeGreaterThan(3);
    expect(await complaints(files, { ...node, skipLibCheck: true })).toBe('');
  });
});
