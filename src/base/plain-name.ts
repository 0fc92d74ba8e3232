const MAX_LENGTH = 60;
/** More accents than this on one letter cover the lines above and below. */
const MAX_ACCENTS = 2;

/**
 * A name that somebody else chose, as one short line: without signs that are not seen or that turn the text around them.
 * Empty when nothing is left.
 */
export function plainName(text: string): string {
  const line = text
    .normalize('NFC')
    .replace(/[\s\u2800]/gu, ' ')
    .replace(/[[\p{C}\p{Default_Ignorable_Code_Point}]--[\uFE0F]]/gv, '')
    .replace(/ +/gu, ' ')
    .replace(/\p{M}+/gu, (accents) => accents.slice(0, MAX_ACCENTS).toWellFormed())
    .trim();
  if (line.length <= MAX_LENGTH) return line;
  // Cut after a whole sign.
  return line
    .slice(0, MAX_LENGTH)
    .replace(/[\ud800-\udbff]$/u, '')
    .trimEnd();
}
