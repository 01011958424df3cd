/** A vault of the binary with a secret in it whose versions do not hold together, by somebody who may only rotate. */
import type { ValueLine } from '../../src/format/lines.ts';
import { addToken, holding } from './binary-team.ts';
import type { BinaryVault } from './binary-vault.ts';
import { Forgery, type Open } from './forgery.ts';
import { placeIn } from './sample-vault.ts';
import { openToken } from './team.ts';

/** In production: `db` is spoiled, `cache` is not. */
export async function spoiled(vault: BinaryVault): Promise<void> {
  for (const name of ['cache', 'db'])
    await vault.put(name, 'one', '--rotate-every', '1s', '-e', 'production');
  const token = await addToken(vault, 'ci', '--can rotate --env production');
  await vault.ok(['rotate', 'db', '-e', 'production'], holding(token));
  const open = await openToken(placeIn(vault.folder, { path: vault.file }), token);
  const signer = { principal: open.identity.principal, signing: open.identity.signing };
  const forgery = Forgery.read(vault.file);
  const [part] = forgery.all('changes');
  if (part === undefined) throw new Error('no changes');
  const line = JSON.parse((forgery.shards.get(part) ?? []).join('')) as Open<ValueLine>;
  line.version = 7;
  await forgery.sign(line, signer);
  forgery.shards.set(part, [`${JSON.stringify(line)}\n`]);
  part.n += 1;
  await forgery.signPart(part, signer);
  await forgery.write(vault.file, signer);
  open.close();
  await vault.fails(7, ['get', 'db', '-e', 'production']);
}
