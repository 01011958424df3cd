/**
 * Text that may stand on a terminal: control and direction characters are shown, not obeyed, and what cannot be seen is written out, so that
 * names that differ look different. Of the invisible characters only the one that asks for an emoji's colours stays behind its emoji.
 */
export function safeText(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029](?<!\p{Extended_Pictographic}\ufe0f)/gu,
    (character) => {
      const code = (character.codePointAt(0) ?? 0).toString(16);
      return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
    },
  );
}
