/** All commands on one program. Made once, kept in the start-up snapshot: nothing here reads the process. */
import { Command } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { declareAudit } from './audit.ts';
import { declareClearClipboard } from './clipboard.ts';
import { addGlobalOptions, withSubcommands, type Act, type Declare } from './command.ts';
import { declareAccess } from './access.ts';
import { declareEnv, declareRekey } from './env.ts';
import { declareExec } from './exec.ts';
import { declareGet } from './get.ts';
import { declareHashicorp } from './hashicorp.ts';
import { declareImport } from './import.ts';
import { declareInit } from './init.ts';
import { declareJoin } from './join.ts';
import { declareLs } from './ls.ts';
import { declareCp, declareMv, declareRestore, declareRm } from './move.ts';
import { declareOffboard } from './offboard.ts';
import { declarePasswd, declareRecover } from './passwd.ts';
import { declarePolicy } from './policy.ts';
import { declareGenerate, declarePut } from './put.ts';
import { declareRollback, declareRotate } from './rotate.ts';
import { declareHistory, declareShow } from './show.ts';
import { declareSlot } from './slot.ts';
import { declareStatus } from './status.ts';
import { declareVerify } from './verify.ts';

const groups: readonly (readonly [string, readonly Declare[]])[] = [
  ['Begin:', [declareInit, declareImport]],
  [
    'Secrets:',
    [declareGet, declarePut, declareLs, declareShow, declareRm, declareRestore, declareMv, declareCp],
  ],
  ['Versions:', [declareHistory, declareRollback, declareRotate, declareGenerate]],
  ['Use:', [declareExec]],
  ['Sharing:', [declareAccess, declareEnv, declareJoin, declareOffboard, declarePolicy]],
  ['Keys:', [declarePasswd, declareRecover, declareSlot, declareRekey]],
  ['Trust:', [declareVerify, declareAudit, declareStatus]],
];

export const version: string = manifest.version;

export interface ProgramOutput {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Columns that help may fill. */
  readonly width: () => number;
}

export function makeProgram(act: Act, output: ProgramOutput): Command {
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
  for (const [group, declarations] of groups) {
    for (const declare of declarations) {
      const command = declare(program, act).helpGroup(group);
      for (const each of withSubcommands(command)) addGlobalOptions(each);
    }
  }
  addGlobalOptions(declareClearClipboard(program, act));
  declareHashicorp(program, act);
  program.addHelpText(
    'after',
    '\nThe passphrase comes from the terminal, VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND or VAULT_PASSPHRASE;\na machine token from VAULT_ACCESS_TOKEN. Start with `vault init`.',
  );
  return program;
}
