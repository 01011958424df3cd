/** HashiCorp's verbs: this is another program, and here is what to use instead. */
import { UsageError } from '../src/errors.ts';
import type { Declare } from './command.ts';

const instead: Readonly<Record<string, string>> = {
  kv: '`vault get NAME` and `vault put NAME`',
  login: 'the passphrase at the prompt, or VAULT_ACCESS_TOKEN',
  read: '`vault get NAME`',
  write: '`vault put NAME`',
  server: 'nothing: there is no server, the vault is a file made by `vault init`',
  operator: '`vault init`, `vault passwd` and `vault recover`',
  secrets: '`vault ls`',
  auth: 'the passphrase at the prompt, or VAULT_ACCESS_TOKEN',
  token: 'VAULT_ACCESS_TOKEN',
  agent: '`vault exec -- COMMAND`',
  lease: '`vault put NAME --expires T`',
  namespace: 'environments: --env',
  plugin: 'nothing: there are no plugins',
  ssh: '`vault get NAME`',
  unwrap: '`vault get NAME`',
};

export const declareHashicorp: Declare = (program, act) => {
  for (const [verb, use] of Object.entries(instead)) {
    program
      .command(verb, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .argument('[arguments...]')
      .action(
        act(async () => {
          throw new UsageError(`this vault is not HashiCorp's: it has no \`${verb}\``, {
            hint: `here it is ${use}`,
          });
        }),
      );
  }
  return program;
};
