/**
 * Batch files of Windows (`npm.cmd` is one), which only cmd.exe can run, and whose arguments it takes apart by rules of its
 * own. Known limit: arguments that could mean something to cmd.exe are refused rather than escaped.
 */

/** Whether a file is one. */
export function isBatchFile(file: string): boolean {
  return /\.(?:bat|cmd)$/iu.test(file);
}

/** Arguments for cmd.exe, to be passed on verbatim; `null` if one of them is not safe. */
export function batchArguments(file: string, args: readonly string[]): string[] | null {
  const words = [file, ...args];
  if (!words.every((word) => /^[\w .,:;=+@~/\\()[\]{}#$-]*$/u.test(word) && !word.endsWith('\\')))
    return null;
  return ['/d', '/s', '/c', `"${words.map((word) => `"${word}"`).join(' ')}"`];
}
