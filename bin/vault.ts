#!/usr/bin/env node
/** Entry: parse, run, map an error to message and exit code. Nothing else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import v8 from 'node:v8';
import { CommanderError, type Command } from 'commander';
import { Context, type GlobalOptions, type Host } from '../commands/context.ts';
import type { Run } from '../commands/command.ts';
import { commandWord, makeProgram } from '../commands/program.ts';
import { version } from '../commands/version.ts';
import { warmUp } from '../src/crypto/warm-up.ts';
import { SecretsManagerError, UsageError, outcomes } from '../src/errors.ts';
import { realFileSystem } from '../src/storage/file-system.ts';
import { acquireLock, loadEngine } from '../src/storage/lock.ts';
import { rehearse } from '../src/vault/rehearsal.ts';
import { safeText } from '../src/terminal/table.ts';
import { coloursAllowed, styleFor } from '../src/terminal/style.ts';
import {
  errorIsTerminal,
  outputWidth,
  usualWidth,
  writeError,
  writeOutput,
} from '../src/terminal/streams.ts';

/** `exec` keeps the codes of its child apart from ours: any failure before the child runs is this one. */
const beforeChildStatus = 125;
const coreFilter = '/proc/self/coredump_filter';

/** Where what happened says it all. */
const silentHints = new Set(['INTERRUPTED', 'DECLINED']);

/** Programs of one command each, made during the build and used once: of those that scripts run, where a millisecond counts. */
const readyPrograms = new Map<string, Command>();

let rehearsing = false;
/** What a command is given in a rehearsal in place of the process's own; without it, words are parsed and nothing is run. */
let stage: Pick<Host, 'env' | 'cwd' | 'fs' | 'acquireLock'> | null = null;
let coreFilterBefore = '';

function act<O>(handler: Run<O>) {
  return async function action(this: Command, ...args: unknown[]): Promise<void> {
    if (rehearsing && stage === null) return;
    prepare();
    // Commander hands over arguments, then options, then the command.
    const words = args
      .slice(0, -2)
      .flat()
      .map((word) => word as string | undefined);
    const options = optionsOf(this) as O & GlobalOptions;
    const context = new Context(options, {
      env: process.env,
      cwd: process.cwd(),
      fs: realFileSystem,
      acquireLock,
      ...stage,
      operation: this.name(),
      beforeReplacement: restoreCoreDumps,
      self: isSea() ? [process.execPath] : process.argv.slice(0, 2),
    });
    try {
      refuseTellingDebug();
      const status = await handler(context, options, ...(words as string[]));
      if (typeof status === 'number') process.exitCode = status;
    } catch (error) {
      await report(error, options, this.name() === 'exec' ? beforeChildStatus : null, wordsOf(this));
    } finally {
      context.close();
    }
  };
}

/** With it Node prints what it hands to children: values. @throws UsageError */
function refuseTellingDebug(): void {
  if (/child_process|\*/iu.test(process.env['NODE_DEBUG'] ?? ''))
    throw new UsageError('NODE_DEBUG would print values: unset it, or name other modules in it');
}

/** What every vault needs, begun before it is needed: on other threads, and the lock's engine when this one first waits for them. */
function prepare(): void {
  warmUp();
  setImmediate(() => {
    if (!rehearsing) void loadEngine();
  });
}

/** A command's own options win over those before its name; what was declined in either place is declined. */
function optionsOf(command: Command): GlobalOptions {
  const before = command.parent === null ? {} : optionsOf(command.parent);
  const own = command.opts<GlobalOptions>();
  const input = before.input !== false && own.input !== false;
  const color = before.color !== false && own.color !== false;
  return { ...before, ...own, input, color };
}

/** Of a command of commands, all its words. */
function wordsOf(command: Command): string {
  const { parent } = command;
  return parent === null ? '' : `${wordsOf(parent)} ${command.name()}`.trimStart();
}

/** What says nothing but where the help is, says it of this command. */
function helpOf(command: string, hint: string): string {
  return command !== '' && hint === outcomes.USAGE.hint
    ? hint.replace('vault --help', `vault ${command} --help`)
    : hint;
}

/** One message, one exit code; where it came from only with --debug. */
async function report(
  error: unknown,
  options: GlobalOptions,
  status: number | null = null,
  command = '',
): Promise<void> {
  const known = error instanceof SecretsManagerError ? error : null;
  const code = known?.code ?? 'INTERNAL';
  // The text of an unexpected error may quote anything, so it is not shown.
  const message = safeText(known?.message ?? 'internal error');
  const hint = helpOf(command, known?.hint ?? outcomes.INTERNAL.hint);
  const exit = known?.exitCode ?? outcomes.INTERNAL.exit;
  process.exitCode = code === 'INTERRUPTED' ? exit : (status ?? exit);
  if (options.json === true) writeError(`${JSON.stringify({ code, message, hint })}\n`);
  else {
    const style = await styleFor(errorIsTerminal() && coloursAllowed(process.env, options.color !== false));
    writeError(
      `${style.error('vault:')} ${message}\n${silentHints.has(code) ? '' : `vault: ${safeText(hint)}\n`}`,
    );
  }
  if (options.debug === true && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      writeError(
        `${cause.name}\n${(cause.stack ?? '')
          .split('\n')
          .filter((line) => /^\s+at /.test(line))
          .join('\n')}\n`,
      );
    }
  }
}

function reportUsage(error: CommanderError, program: Command, words: readonly string[]): void {
  if (error.exitCode === 0) return;
  const json = words.includes('--json');
  const word = commandWord(program, words) ?? '';
  const isCommand = program.commands.some((one) => [one.name(), ...one.aliases()].includes(word));
  const isExec = ['exec', 'run'].includes(word);
  process.exitCode = isExec ? beforeChildStatus : outcomes.USAGE.exit;
  // Commander shows help by an error of its own where no command was given.
  if (error.code === 'commander.help') return;
  const message = safeText(
    error.message
      .replace(/^error: /u, '')
      // One of them may be a value.
      .replace(/ but got \d+: .*$/su, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, ''),
  );
  const hint =
    error.code === 'commander.excessArguments' && ['put', 'set', 'rotate'].includes(word)
      ? 'a value is never an argument: pipe it in, or leave it out and type it'
      : helpOf(isCommand ? word : '', outcomes.USAGE.hint);
  if (json) writeError(`${JSON.stringify({ code: 'USAGE', message, hint })}\n`);
  else writeError(`vault: ${message}\nvault: ${hint}\n`);
}

/** Everything was written synchronously: leaving at once loses nothing, and saves what tidying up would cost. */
async function main(): Promise<void> {
  // What nobody caught would be printed with the source around it; it is an internal error like any other.
  const leave = async (error: unknown): Promise<void> => {
    await report(error, {});
    process.exit();
  };
  process.on('uncaughtException', (error) => void leave(error));
  process.on('unhandledRejection', (error) => void leave(error));
  // Every way out is process.exit(). Where the loop runs dry, somebody waits for what will never come, and the status would be 0.
  process.on('beforeExit', () => void leave(new Error('nothing left to wait for')));
  await run(process.argv.slice(2));
  process.exit();
}

function newProgram(words: readonly string[] = []): Command {
  const show =
    (write: (text: string) => void) =>
    (text: string): void => {
      if (!rehearsing) write(text);
    };
  const width = (): number => (rehearsing ? usualWidth : outputWidth());
  return makeProgram(act, { out: show(writeOutput), error: show(writeError), width }, words);
}

async function parse(program: Command, words: readonly string[], isWhole = false): Promise<void> {
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) await report(error, {});
    // Words can be so intertwined that only parsing tells which one is the command.
    else if (error.code === 'commander.unknownCommand' && !isWhole) await parse(newProgram(), words, true);
    else reportUsage(error, program, words);
  }
}

async function run(words: readonly string[]): Promise<void> {
  if (words.length === 1 && words[0] === '--version') {
    writeOutput(`${version}\n`);
    return;
  }
  await parse(readyPrograms.get(words[0] ?? '') ?? newProgram(words), words);
}

/** Before anything else: nothing of this process goes into a core file, and no debugger opens. */
function harden(): void {
  process.on('SIGUSR1', () => undefined);
  denyCoreDumps();
}

function denyCoreDumps(): void {
  try {
    coreFilterBefore = `0x${readFileSync(coreFilter, 'utf8').trim()}`;
    writeFileSync(coreFilter, '0');
  } catch {
    // Not Linux, or not allowed: docs/threat-model.md says so.
  }
}

/** A program that takes our place keeps the filter, and its core files are its own affair. */
function restoreCoreDumps(): void {
  if (coreFilterBefore !== '') writeFileSync(coreFilter, coreFilterBefore);
}

/**
 * Node comes with all its modules compiled, and ours have just run: what of that no rehearsal uses is not worth its place in the heap, and
 * is compiled when it is called. Asking for objects collects garbage first; the flag makes code that is not running part of it.
 */
function forgetCompiledCode(): void {
  v8.setFlagsFromString('--stress-flush-code');
  v8.queryObjects(Context);
  v8.setFlagsFromString('--no-stress-flush-code');
}

const hasFailed = (): boolean => process.exitCode !== undefined;

/** Leaves the bytecode of what ran in the snapshot. The first program is a whole one, and tells the others who declares what. */
async function rehearseAll(folder: string): Promise<void> {
  const parsed = [
    ['--help'],
    ['get', '--help'],
    ['get', 'x', '--json'],
    ['exec', '-e', 'x', '--', 'true'],
    ['nothing'],
  ];
  for (const words of parsed) await run(words);
  denyCoreDumps();
  restoreCoreDumps();
  // How the engine of the lock will be loaded.
  await import('node:path');
  const { place, token, passphrase, names } = await rehearse(folder);
  const { fs, acquireLock: lock, path } = place;
  process.exitCode = undefined;
  for (const credential of [{ VAULT_ACCESS_TOKEN: token }, { VAULT_PASSPHRASE: passphrase }]) {
    stage = { env: { ...credential, HOME: folder }, cwd: folder, fs, acquireLock: lock };
    for (const name of names) await run(['get', name, '--vault', path]);
    await run(['ls', '--vault', path]);
  }
  if (hasFailed()) throw new Error('the rehearsal failed');
  for (const word of ['get', 'put', 'ls', 'exec']) {
    const program = newProgram([word]);
    for (const command of program.commands)
      for (const name of [command.name(), ...command.aliases()]) readyPrograms.set(name, program);
  }
}

const { startupSnapshot } = v8;
if (startupSnapshot.isBuildingSnapshot()) {
  rehearsing = true;
  forgetCompiledCode();
  const folder = mkdtempSync(join(tmpdir(), 'vault-rehearsal-'));
  // A rehearsal that fails must fail the build.
  void rehearseAll(folder)
    .finally(() => {
      rmSync(folder, { recursive: true });
    })
    .catch((error: unknown) => {
      throw error;
    });
  startupSnapshot.addSerializeCallback(() => {
    rehearsing = false;
    stage = null;
    coreFilterBefore = '';
    process.exitCode = undefined;
  });
  startupSnapshot.setDeserializeMainFunction(() => {
    harden();
    void main();
  });
} else {
  harden();
  void main();
}
