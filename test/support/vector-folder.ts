/** Published vectors, kept beside the repository: not everybody who has the one has the other. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const folder = path.resolve(import.meta.dirname, '../../../shared/vectors');

export const vectorsAbsent = !existsSync(folder);

/** The title of a suite, which says aloud why it is skipped where it is. */
export function vectorTitle(title: string): string {
  return vectorsAbsent ? `${title} (SKIPPED: ${folder} is not there)` : title;
}

/** A vector file, or an empty one of the same form where the folder is absent. */
export function readVectors<T>(file: string, empty: T): T {
  return vectorsAbsent ? empty : (JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as T);
}

export type WycheproofTest<Test> = Test & {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid';
};

interface Wycheproof<Group, Test> {
  readonly testGroups: readonly (Group & { readonly tests: readonly WycheproofTest<Test>[] })[];
}

/** A test of Project Wycheproof with the group that it stands in. */
export interface GroupedTest<Group, Test> {
  readonly group: Group;
  readonly test: WycheproofTest<Test>;
}

/** Every test of a published file. The caller says what its groups and tests look like. */
export function readWycheproof<Both extends GroupedTest<object, object>>(name: string): Both[] {
  const none: Wycheproof<Both['group'], object> = { testGroups: [] };
  const { testGroups } = readVectors(`wycheproof/${name}_test.json`, none);
  return testGroups.flatMap((group) => group.tests.map((test) => ({ group, test }))) as GroupedTest<
    object,
    object
  >[] as Both[];
}
