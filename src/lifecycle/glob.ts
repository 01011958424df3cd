/** Patterns over names: `*` and `?` within a part, `**` across parts, everything else as it stands. */

const special = /[.+^${}()|[\]\\]/g;

/** A pattern without wildcards also matches everything below it, as a folder would. */
export function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .split(/(\*\*|\*|\?)/)
    .map((piece) => {
      if (piece === '**') return '.*';
      if (piece === '*') return '[^/]*';
      if (piece === '?') return '[^/]';
      return piece.replace(special, '\\$&');
    })
    .join('');
  const below = /[*?]/.test(pattern) ? '' : '(/.*)?';
  return new RegExp(`^${source.replace(/\/$/, '')}${below}$`, 'su').test(name);
}
