/** Patterns over names: `*` and `?` within a part, `**` across parts, everything else as it stands. */

type Token = string | { readonly star: 'part' | 'all' };

function tokensOf(pattern: string): Token[] {
  return pattern.split(/(\*\*|\*|\?)/u).flatMap((piece): Token[] => {
    if (piece === '**') return [{ star: 'all' }];
    if (piece === '*') return [{ star: 'part' }];
    return piece === '?'
      ? ['?']
      : Array.from(piece, (character) => (character === '?' ? '?' : `=${character}`));
  });
}

/**
 * Whether a name matches. A pattern without wildcards also matches everything below it, as a folder would.
 *
 * Time is the product of the lengths at most: one set of reachable places, moved through the name character by character.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  if (!/[*?]/u.test(pattern)) {
    const folder = pattern.replace(/\/$/u, '');
    return name === folder || name.startsWith(`${folder}/`);
  }
  const tokens = tokensOf(pattern);
  let places = reachable(tokens, new Set([0]));
  for (const character of name) {
    const next = new Set<number>();
    for (const place of places) {
      const token = tokens[place];
      if (token === undefined) continue;
      if (typeof token === 'object') {
        if (token.star === 'all' || character !== '/') next.add(place);
      } else if (token === '?' ? character !== '/' : token === `=${character}`) next.add(place + 1);
    }
    places = reachable(tokens, next);
    if (places.size === 0) return false;
  }
  return places.has(tokens.length);
}

/** Stars match nothing, too. */
function reachable(tokens: readonly Token[], places: ReadonlySet<number>): Set<number> {
  const all = new Set(places);
  for (const place of all) if (typeof tokens[place] === 'object') all.add(place + 1);
  return all;
}
