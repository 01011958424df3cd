/** `vault verify`: everything; `vault verify NAME`: a candidate value. */
import { verifySecret } from '../src/vault/operations/get.ts';
import { verifyVault, type VerifyReport } from '../src/vault/operations/verify.ts';
import type { Scope } from '../src/vault/scope.ts';
import { examples, type Declare } from './command.ts';
import type { Context } from './context.ts';
import { readValue } from './value-input.ts';

interface VerifyFlags {
  readonly acceptRollback?: boolean;
  readonly exact?: boolean;
}

export const declareVerify: Declare = (program, act) => {
  const command = program
    .command('verify')
    .description(
      'check everything: signatures, digests, every value, the audit chain; or one candidate value',
    )
    .argument('[name]', 'compare standard input with this secret: exit 0 if the same, 1 if not')
    .option('--accept-rollback', 'accept an older vault, or a lost audit log, than this machine remembers')
    .option('--exact', 'with NAME: keep a final newline of standard input')
    .action(act<VerifyFlags>(runVerify));
  return examples(command, 'vault verify', 'printf %s "$CANDIDATE" | vault verify db/password');
};

async function runVerify(context: Context, flags: VerifyFlags, name?: string): Promise<number | undefined> {
  if (name !== undefined) return verifyCandidate(context, flags, name);
  const vault = await context.openVault({ acceptRollback: flags.acceptRollback === true });
  const progress = context.progress();
  const watched = async (scope: Scope): Promise<VerifyReport> =>
    verifyVault(scope, vault.place, {
      known: vault.rememberedLog,
      progress: (what, done) => {
        progress.show(`verified ${done} ${what}`);
      },
    });
  const report = await vault.read('verify', watched).finally(() => {
    progress.end();
  });
  for (const warning of report.warnings) context.warn(warning);
  if (context.json) {
    context.outputJson(report);
    return undefined;
  }
  const { generation, environments, secrets, versions, auditRecords, sealed } = report;
  const log = auditRecords === 0 ? 'no audit log yet' : `${auditRecords} audit records`;
  context.inform(
    `generation ${generation} holds: ${environments} environments, ${secrets} secrets, ${versions} versions, ${log}`,
  );
  if (sealed.length > 0) context.inform(`not opened, for lack of access: ${sealed.join(', ')}`);
  return undefined;
}

async function verifyCandidate(context: Context, flags: VerifyFlags, name: string): Promise<number> {
  const vault = await context.openVault();
  const candidate = await readValue(context, {
    file: undefined,
    exact: flags.exact === true,
    question: 'candidate:',
  });
  try {
    const same = await vault.read('verify-value', async (scope) =>
      verifySecret(scope, context.environment, name, candidate),
    );
    if (context.json) context.outputJson({ same });
    else context.inform(same ? 'the same' : 'different');
    return same ? 0 : 1;
  } finally {
    candidate.fill(0);
  }
}
