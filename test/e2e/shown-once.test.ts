/** Credentials that are shown once, or given in a place that is not theirs: they reach somebody, and no message has them. */
import { describe, expect } from 'vitest';
import { addToken, getWith, holding, shownOnce } from '../support/binary-team.ts';
import { fastKdf, scenario } from '../support/binary-vault.ts';

const may = '--can read --env development';

/** Standard output that nobody reads any more, before the program starts. */
const unread = 'mkfifo p; exec 3<>p 4>p 3<&-;';

describe('what is shown once and reaches nobody', () => {
  for (const [title, before, output] of [
    ['has gone', unread, '>&4'],
    ['is full', '', '>/dev/full'],
  ] as const)
    scenario(`because standard output ${title}: 9, and what to do`, async (vault) => {
      const old = await addToken(vault, 'ci', may);
      for (const [line, hint] of [
        ['access reissue ci --token', 'access reissue'],
        [`access add late ${may} --token --json`, 'access reissue'],
        [`access add guest ${may} --invite`, 'access reissue'],
        ['slot add --recovery', 'slot rm'],
        ['slot add --token --json', 'slot rm'],
      ] as const) {
        const { status, stderr } = await vault.shell(
          `${before} $VAULT ${line} ${output}; s=$?; rm -f p; exit $s`,
        );
        expect([line, status]).toEqual([line, 9]);
        expect(stderr).toContain('the change was made');
        expect(stderr).toContain(hint);
      }
      await vault.fails(4, ['get', 'canary'], holding(old));
      const fresh = await shownOnce(vault, ['access', 'reissue', 'ci', '--token']);
      expect(await getWith(vault, fresh, 'canary')).toBe(vault.canary.value);
      const { stderr } = await vault.shell(
        `${before} $VAULT join --request --name x ${fastKdf.join(' ')} ${output}; s=$?; rm -f p; exit $s`,
      );
      expect(stderr).toContain('--replace');
    });
});

scenario('a credential in the place of a file’s path is in no message', async (vault) => {
  const identity = 'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ';
  const given = 'correct/horse battery';
  const token = `vlt1_${'a'.repeat(60)}`;
  const recovery = 'VRK1-ABCDEF-ABCDEF';
  const invitation = `vli1_${'b'.repeat(60)}`;
  const without = { VAULT_PASSPHRASE: undefined };
  const fresh = ['--new-passphrase-file', vault.credentialFile('fresh', 'a passphrase to be')];
  for (const [secret, args, env] of [
    [given, ['ls'], { ...without, VAULT_PASSPHRASE_FILE: given }],
    [token, ['ls'], { ...without, VAULT_ACCESS_TOKEN_FILE: token }],
    [identity, ['slot', 'add', '--age', identity], {}],
    [recovery, ['recover', '--no-recovery', '--recovery-key-file', recovery, ...fresh], {}],
    [invitation, ['join', '--invitation-file', invitation], {}],
    [invitation, ['join', invitation], {}],
    [given, ['passwd', '--new-passphrase-file', given], {}],
    [given, ['access', 'add', 'x', ...may.split(' '), '--new-passphrase-file', given, '--passphrase'], {}],
  ] as const) {
    const { status, stdout, stderr } = await vault.run([...args, '--debug'], { env, mayCrash: true });
    expect([args, status]).toEqual([args, expect.toBeOneOf([2, 3])]);
    expect(`${stdout.toString()}${stderr}`).not.toContain(secret);
    expect(stderr).toMatch(
      /^vault: (there is no file with|an invitation is not given|cannot open file with)/u,
    );
  }
});
