/** `vault rm`, `restore`, `mv`, `cp`. */
import {
  copySecret,
  purgeSecret,
  removeSecret,
  renameSecret,
  restoreSecret,
} from '../src/vault/operations/move.ts';
import { examples, type Declare } from './command.ts';
import { reportPut } from './put.ts';

interface RemoveFlags {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

export const declareRm: Declare = (program, act) => {
  const command = program
    .command('rm')
    .alias('delete')
    .description('remove a secret; it can be restored until it is purged')
    .argument('<name>', 'name of the secret')
    .option('--purge', 'destroy every version and forget the name')
    .option('-y, --yes', 'do not ask')
    .action(
      act<RemoveFlags>(async (context, flags, name = '') => {
        const purge = flags.purge === true;
        if (purge)
          await context.confirm(`destroy every version of ${context.shown(name)} for good?`, flags.yes);
        const vault = await context.openVault();
        const remove = purge ? purgeSecret : removeSecret;
        const moved = await vault.write(purge ? 'purge' : 'rm', async (scope) =>
          remove(scope, context.environment, name),
        );
        if (context.json) {
          context.outputJson({ ...moved, purged: purge });
          return;
        }
        const back = purge ? 'purged' : 'removed; `vault restore` brings it back';
        context.inform(`${context.shown(name)} ${back}`);
      }),
    );
  return examples(command, 'vault rm old/token', 'vault rm old/token --purge --yes');
};

export const declareRestore: Declare = (program, act) => {
  const command = program
    .command('restore')
    .description('bring back a secret that was removed')
    .argument('<name>', 'name of the secret')
    .action(
      act(async (context, _flags, name = '') => {
        const vault = await context.openVault();
        const moved = await vault.write('restore', async (scope) =>
          restoreSecret(scope, context.environment, name),
        );
        if (context.json) context.outputJson(moved);
        else context.inform(`${context.shown(name)} restored`);
      }),
    );
  return examples(command, 'vault ls --removed', 'vault restore old/token');
};

export const declareMv: Declare = (program, act) => {
  const command = program
    .command('mv')
    .description('rename a secret; its versions stay')
    .argument('<name>', 'present name')
    .argument('<new>', 'new name')
    .action(
      act(async (context, _flags, from = '', to = '') => {
        const vault = await context.openVault();
        const moved = await vault.write('mv', async (scope) =>
          renameSecret(scope, context.environment, from, to),
        );
        if (context.json) context.outputJson({ from, ...moved });
        else context.inform(`${context.shown(from)} is now ${context.shown(to)}`);
      }),
    );
  return examples(command, 'vault mv db/pass db/password');
};

export const declareCp: Declare = (program, act) => {
  const command = program
    .command('cp')
    .description('copy the current value and the metadata of a secret')
    .argument('<name>', 'name of the secret')
    .argument('<new>', 'name of the copy')
    .option('--to-env <environment>', 'into another environment')
    .action(
      act<{ readonly toEnv?: string }>(async (context, flags, from = '', to = '') => {
        const vault = await context.openVault();
        const options = { environment: context.environment, from, to, toEnvironment: flags.toEnv ?? null };
        reportPut(context, await vault.write('cp', async (scope) => copySecret(scope, options)));
      }),
    );
  return examples(command, 'vault cp db/password db/password --to-env staging');
};
