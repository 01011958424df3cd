/** Values that come back, and whom they were open to who is gone. */
import type { Line } from '../../format/json-line.ts';
import type { ValueLine } from '../../format/lines.ts';
import type { EnvironmentReader } from '../environment-reader.ts';
import { exposuresOf } from '../exposure.ts';
import { openCarry } from '../new-environment.ts';
import type { WriteScope } from '../scope.ts';
import { shown } from './secret.ts';

/** Tell the person that an old value, which is about to be current again, is known to somebody who may not read it any more, or has expired. */
export async function tellOfOld(
  scope: WriteScope,
  reader: EnvironmentReader,
  name: string,
  line: Line<ValueLine>,
): Promise<void> {
  const { authority } = scope;
  const { policy } = await openCarry(authority.domain, reader.part.entry, reader.keys);
  const { time, author, version } = line.value;
  const who = exposuresOf(policy)
    .filter(({ principal, until, read }) => time <= until && (read || principal === author))
    .map(({ principal }) => authority.nameOf(principal));
  if (who.length > 0)
    scope.notices.push(
      `${[...new Set(who)].join(', ')} may know version ${version} of ${shown(name)}, whose value is back: rotate it`,
    );
  const { expires } = await reader.note(line);
  if (expires !== '' && expires <= scope.now.toISOString())
    scope.notices.push(`version ${version} of ${shown(name)}, whose value is back, expired at ${expires}`);
}
