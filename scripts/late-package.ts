/**
 * How the binary gets at a package that is loaded late: its text lies beside the heap, as an asset of the blob, and is compiled when somebody
 * asks for it. scripts/bundle.ts puts a call in the place of each; run from the sources, nothing of this is there.
 *
 * No compiled code lies beside it: V8 would take it only from a process that was started from the same snapshot, which is not there before the
 * blob is whole.
 */
import { getRawAsset } from 'node:sea';
import { compileFunction } from 'node:vm';

/**
 * The exports of a package. The bundle asks once for each, and keeps them.
 * @param load `require` of the bundle, for built-in modules
 */
export function loadLate(name: string, load: NodeJS.Require): unknown {
  // ASCII, as all that is bundled.
  return runLate(name, Buffer.from(getRawAsset(name)).toString('latin1'), load);
}

/** The exports of what this text of CommonJS makes; its name is the file's in stack traces. */
export function runLate(name: string, text: string, load: (wanted: string) => unknown): unknown {
  const module = { exports: {} };
  const run = compileFunction(text, ['module', 'exports', 'require'], { filename: name });
  Reflect.apply(run, module.exports, [module, module.exports, load]);
  return module.exports;
}
