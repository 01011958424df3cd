/** `vault migrate`: the format of the file. */
import { currentFormat } from '../src/format/lines.ts';
import { examples, type Declare } from './command.ts';

export const declareMigrate: Declare = (program, act) => {
  const command = program
    .command('migrate')
    .description('bring the vault to the current format')
    .action(
      act(async (context) => {
        const vault = await context.openVault();
        const format = await vault.read('migrate', async (scope) =>
          Promise.resolve(scope.document.vault.value.format),
        );
        // There has been no other format yet: docs/decisions/0010-evidence.md.
        if (context.json) context.outputJson({ format, current: currentFormat, migrated: false });
        context.inform(`format ${format} is the current one: nothing to do`);
      }),
    );
  return examples(command, 'vault migrate');
};
