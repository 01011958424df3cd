/** All commands, on one program. Nothing here reads the process: the declarations are part of the start-up snapshot. */
import { Command } from 'commander';
import { declareAudit } from './audit.ts';
import { declareBackup } from './backup.ts';
import { declareClearClipboard } from './clipboard.ts';
import { addGlobalOptions, withSubcommands, type Act, type Declare } from './command.ts';
import { declareAccess } from './access.ts';
import { declareConsole } from './console.ts';
import { declareDoctor } from './doctor.ts';
import { declareEnv, declareRekey } from './env.ts';
import { declareExec } from './exec.ts';
import { declareGet } from './get.ts';
import { declareHashicorp } from './hashicorp.ts';
import { declareHook } from './hook.ts';
import { declareHookSession } from './hook-session.ts';
import { declareImport } from './import.ts';
import { declareInit } from './init.ts';
import { declareJoin } from './join.ts';
import { declareLs } from './ls.ts';
import { declareCp, declareMv, declareRestore, declareRm } from './move.ts';
import { declareMigrate } from './migrate.ts';
import { declareMetrics } from './metrics.ts';
import { declareOffboard } from './offboard.ts';
import { declarePasswd, declareRecover } from './passwd.ts';
import { declarePolicy } from './policy.ts';
import { declareGenerate, declarePut } from './put.ts';
import { declareRollback, declareRotate } from './rotate.ts';
import { declareHistory, declareShow } from './show.ts';
import { declareSlot } from './slot.ts';
import { declareStatus } from './status.ts';
import { declareTrust } from './trust.ts';
import { declareUndo } from './undo.ts';
import { declareVerify } from './verify.ts';
import { version } from './version.ts';

const groups: readonly (readonly [string, readonly Declare[]])[] = [
  ['Begin:', [declareInit, declareImport]],
  [
    'Secrets:',
    [declareGet, declarePut, declareLs, declareShow, declareRm, declareRestore, declareMv, declareCp],
  ],
  ['Versions:', [declareHistory, declareRollback, declareUndo, declareRotate, declareHook, declareGenerate]],
  ['Use:', [declareExec, declareConsole]],
  ['Sharing:', [declareAccess, declareEnv, declareJoin, declareOffboard, declarePolicy]],
  ['Keys:', [declarePasswd, declareRecover, declareSlot, declareRekey]],
  [
    'Trust:',
    [
      declareVerify,
      declareAudit,
      declareBackup,
      declareStatus,
      declareDoctor,
      declareMetrics,
      declareMigrate,
      declareTrust,
    ],
  ],
];

/** One file's commands, and the heading under which help lists them; `null` for those that it does not. */
interface Declaration {
  readonly group: string | null;
  readonly declare: Declare;
}

const declarations: readonly Declaration[] = [
  ...groups.flatMap(([group, all]) => all.map((declare) => ({ group, declare }))),
  { group: null, declare: declareClearClipboard },
  { group: null, declare: declareHashicorp },
  { group: null, declare: declareHookSession },
];

/** By the names of their commands, which are known once a whole program has been made. */
const declaredBy = new Map<string, Declaration>();

export interface ProgramOutput {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Columns that help may fill. */
  readonly width: () => number;
}

/** The command that these words begin with: the first one that is neither an option nor the value of one. */
export function commandWord({ options }: Command, words: readonly string[]): string | undefined {
  const isValue = (before: string | undefined): boolean =>
    options.some(
      ({ required, short, long }) => required && before !== undefined && [short, long].includes(before),
    );
  return words.find((word, index) => !word.startsWith('-') && !isValue(words[index - 1]));
}

function addCommands(program: Command, act: Act, declaration: Declaration): void {
  const { group, declare } = declaration;
  const before = program.commands.length;
  declare(program, act);
  for (const command of program.commands.slice(before)) {
    if (group !== null) command.helpGroup(group);
    for (const each of withSubcommands(command)) addGlobalOptions(each);
    for (const name of [command.name(), ...command.aliases()]) declaredBy.set(name, declaration);
  }
}

/** @param words what is to be parsed: where they name a command that has been declared before, it alone is declared */
export function makeProgram(act: Act, output: ProgramOutput, words: readonly string[] = []): Command {
  const program = new Command('vault')
    .description('keeps secrets in one encrypted, signed, versioned file, and hands them to programs')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'help for a command')
    .enablePositionalOptions()
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: output.error,
      outputError: () => undefined,
      getOutHelpWidth: output.width,
      getErrHelpWidth: output.width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  addGlobalOptions(program);
  const only = declaredBy.get(commandWord(program, words) ?? '');
  for (const declaration of only === undefined ? declarations : [only])
    addCommands(program, act, declaration);
  program.addHelpText(
    'after',
    '\nThe passphrase comes from the terminal, VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND or VAULT_PASSPHRASE;\na machine token from VAULT_ACCESS_TOKEN. Start with `vault init`.',
  );
  return program;
}
