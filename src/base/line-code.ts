// Crockford's Base32 (crockford.com/base32.html): digits and letters that are hard to confuse.
/**
 * Bytes as lines that people write down and type in again. The last sign of each line is made of the others and of the
 * line's number, so that a mistake is found in its line.
 */

const SIGNS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CONFUSED: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1', U: 'V' };
const BITS = 5;
const GROUP = 4;
const GROUPS = 6;
const LINE = GROUP * GROUPS;
/** x^5 + x^2 + 1, by which the signs are numbers that can be divided. */
const POLYNOMIAL = 0b100101;

/** Lines of six groups of four signs; the last one may be shorter. */
export function writeLines(bytes: Uint8Array): string[] {
  const signs = toSigns(bytes);
  const lines: string[] = [];
  for (let from = 0; from < signs.length; from += LINE - 1) {
    const values = signs.slice(from, from + LINE - 1);
    const line = [...values, checkOf(values, lines.length)].map((value) => SIGNS.charAt(value)).join('');
    lines.push(line.replace(/.{4}(?=.)/g, '$& '));
  }
  return lines;
}

export type ReadLines =
  | { readonly kind: 'read'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** A sign is wrong, missing or too many in this line, counted from 0. */
  | { readonly kind: 'wrong'; readonly line: number };

/** Takes what people make of it: small letters, other gaps and line ends, O for 0. */
export function readLines(text: string): ReadLines {
  const values: number[] = [];
  for (const sign of text.toUpperCase().replaceAll(/[\s-]/g, '')) {
    const value = SIGNS.indexOf(CONFUSED[sign] ?? sign);
    if (value < 0) return { kind: 'wrong', line: Math.floor(values.length / LINE) };
    values.push(value);
  }
  const content: number[] = [];
  for (let from = 0, line = 0; from < values.length; from += LINE, line += 1) {
    const signs = values.slice(from, from + LINE);
    const check = signs.pop();
    if (check === undefined || signs.length === 0 || checkOf(signs, line) !== check) return { kind: 'wrong', line };
    content.push(...signs);
  }
  return { kind: 'read', bytes: toBytes(content) };
}

function toSigns(bytes: Uint8Array): number[] {
  const signs: number[] = [];
  let rest = 0;
  let bits = 0;
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    for (bits += 8; bits >= BITS; bits -= BITS) signs.push((rest >> (bits - BITS)) & 31);
    rest &= 255;
  }
  if (bits > 0) signs.push((rest << (BITS - bits)) & 31);
  return signs;
}

function toBytes(signs: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let rest = 0;
  let bits = 0;
  for (const sign of signs) {
    rest = ((rest << BITS) | sign) & 0xfff;
    bits += BITS;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((rest >> bits) & 255);
  }
  return Uint8Array.from(bytes);
}

/** A sum in which each sign counts by its place: one wrong sign or two exchanged neighbours change it. */
function checkOf(values: readonly number[], line: number): number {
  let sum = line & 31;
  for (const value of values) sum = double(sum) ^ value;
  return double(sum);
}

function double(value: number): number {
  const doubled = value << 1;
  return doubled > 31 ? doubled ^ POLYNOMIAL : doubled;
}
