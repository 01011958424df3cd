/** `vault env`: environments and compartments; `vault rekey`: new keys for them. */
import {
  addEnvironment,
  listEnvironments,
  rekeyEnvironments,
  removeEnvironment,
} from '../src/vault/operations/environments.ts';
import { examples, group, type Declare } from './command.ts';

export const declareEnv: Declare = (program, act) => {
  const command = group(program, 'env', 'environments, and compartments in them with keys of their own');
  command
    .command('ls')
    .alias('list')
    .description('list environments, and what you may do there')
    .action(
      act(async (context) => {
        const vault = await context.openVault();
        const all = await vault.read('env-ls', async (scope) => listEnvironments(scope));
        if (context.json) {
          context.outputJson(all);
          return;
        }
        const rows = all.map((one) => [
          one.default ? `${one.name} *` : one.name,
          one.level ?? '-',
          one.secrets === null ? '-' : String(one.secrets),
          one.keysSince === null ? '-' : context.day(one.keysSince),
        ]);
        await context.table(['ENVIRONMENT', 'YOU MAY', 'SECRETS', 'KEYS SINCE'], rows);
      }),
    );
  command
    .command('add')
    .description('make an environment, or a compartment: ENVIRONMENT/NAME')
    .argument('<name>', 'its name')
    .action(
      act(async (context, _flags, name = '') => {
        const vault = await context.openVault();
        const { id } = await vault.write('env-add', async (scope) => addEnvironment(scope, name));
        if (context.json) context.outputJson({ name, id });
        context.inform(`${context.shown(name)} added; grant it with \`vault access grant\``);
      }),
    );
  command
    .command('rm')
    .alias('delete')
    .description('destroy an environment with everything in it')
    .argument('<name>', 'its name')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ readonly yes?: boolean }>(async (context, flags, name = '') => {
        const vault = await context.openVault();
        if (flags.yes !== true) {
          const all = await vault.read('env-ls', async (scope) => listEnvironments(scope));
          const secrets = all.find((one) => one.name === name)?.secrets ?? null;
          const what =
            secrets === null ? 'everything' : secrets === 1 ? 'its secret' : `its ${secrets} secrets`;
          await context.confirm(`destroy ${context.shown(name)} with ${what} for good?`, flags.yes);
        }
        const { id } = await vault.write('env-rm', async (scope) =>
          Promise.resolve(removeEnvironment(scope, name)),
        );
        if (context.json) context.outputJson({ name, id });
        context.inform(`${context.shown(name)} destroyed; copies of the file and backups still have it`);
      }),
    );
  return examples(command, 'vault env ls', 'vault env add production/payments', 'vault env rm old --yes');
};

export const declareRekey: Declare = (program, act) => {
  const command = program
    .command('rekey')
    .description('fresh keys for environments; nobody’s credential changes')
    .action(
      act(async (context) => {
        const vault = await context.openVault();
        const wanted = context.globals.env?.split(',') ?? [];
        const names = await vault.write('rekey', async (scope) =>
          Promise.resolve(rekeyEnvironments(scope, wanted)),
        );
        if (context.json) context.outputJson({ rekeyed: names });
        context.inform(`new keys for ${names.join(', ')}`);
      }),
    );
  return examples(command, 'vault rekey', 'vault rekey --env production');
};
