/** These tests run the built binary: say so plainly where there is none. */
import { existsSync } from 'node:fs';
import path from 'node:path';

export const binary = path.resolve(
  import.meta.dirname,
  '../dist',
  process.platform === 'win32' ? 'vault.exe' : 'vault',
);

export function setup(): void {
  if (!existsSync(binary)) throw new Error('dist/vault is not there: npm run build');
}
