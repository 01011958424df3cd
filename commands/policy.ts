/** `vault policy`: the rules that every writer and reader of this vault keeps to. */
import { policyTable } from '../src/lifecycle/policy.ts';
import {
  setEnvironmentPolicy,
  setPolicy,
  showEnvironmentPolicy,
  showPolicy,
} from '../src/vault/operations/policy.ts';
import { examples, group, type Declare } from './command.ts';

export const declarePolicy: Declare = (program, act) => {
  const command = group(program, 'policy', 'the rules of this vault, signed by its administrators');
  command
    .command('show')
    .description('show every rule, its value and what it is for')
    .argument('[key]', 'only this one')
    .action(
      act(async (context, _flags, key?: string) => {
        // Only where it was said: most rules are of the whole vault.
        const { env: environment } = context.globals;
        const vault = await context.openVault();
        const all = await vault.read('policy-show', async (scope) =>
          environment === undefined
            ? Promise.resolve(showPolicy(scope, key ?? null))
            : showEnvironmentPolicy(scope, environment, key ?? null),
        );
        if (context.json) context.outputJson(all);
        else if (key !== undefined) context.output(`${all[0]?.value ?? ''}\n`);
        else
          await context.table(
            ['KEY', 'VALUE', 'MEANING'],
            all.map((rule) => [
              rule.key,
              rule.default ? `${rule.value} (default)` : rule.value,
              rule.meaning,
            ]),
          );
      }),
    );
  command
    .command('set')
    .description('set a rule; `default` as the value takes it back')
    .argument('<key>', 'one that `vault policy show` lists')
    .argument('<value>', 'its value')
    .action(
      act(async (context, _flags, key = '', value = '') => {
        const { env: environment } = context.globals;
        const vault = await context.openVault();
        const rule = await vault.write('policy-set', async (scope) =>
          environment === undefined
            ? Promise.resolve(setPolicy(scope, key, value))
            : setEnvironmentPolicy(scope, environment, key, value),
        );
        if (context.json) context.outputJson(rule);
        context.inform(`${rule.key} is ${rule.value} now`);
      }),
    );
  command.addHelpText(
    'after',
    `\nKeys:\n${policyTable.map(({ key, values, meaning }) => `  ${key.padEnd(24)} ${values.padEnd(20)} ${meaning}`).join('\n')}`,
  );
  return examples(
    command,
    'vault policy show',
    'vault policy set factors.administrators 2',
    'vault policy set passphrase.days 90',
    'vault policy set rotate.days 90,api-key=30 -e production',
  );
};
