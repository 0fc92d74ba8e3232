/** Signs that look like a Latin letter, by that letter; case is folded before. */
const LIKE: Readonly<Record<string, string>> = {
  a: 'аαɑᴀ',
  b: 'вβʙ',
  c: 'сϲᴄ',
  d: 'ԁᴅ',
  e: 'еεᴇ',
  f: 'ꜰ',
  g: 'ɡɢ',
  h: 'һнʜ',
  j: 'јᴊ',
  k: 'кκᴋ',
  l: '1|iıіιӏǀɪʟ',
  m: 'мᴍ',
  n: 'ηпɴ',
  o: '0оοօᴏ',
  p: 'рρᴘ',
  q: 'ԛ',
  r: 'гʀ',
  s: 'ѕꜱ',
  t: 'тτᴛ',
  u: 'υцսᴜ',
  v: 'νѵᴠ',
  w: 'ԝωᴡ',
  x: 'хχ',
  y: 'уүʏ',
  z: 'ᴢ',
};
const PLAIN = new Map(Object.entries(LIKE).flatMap(([letter, like]) => Array.from(like, (sign) => [sign, letter])));

/** The same for names that people take for one another: whatever case, accents, spaces, and letters of other scripts. */
export function lookOf(name: string): string {
  const folded = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}|]/gu, '');
  const plain = Array.from(folded, (sign) => PLAIN.get(sign) ?? sign).join('');
  const look = plain.replaceAll('rn', 'm');
  // A name of signs alone is like none but itself.
  return look === '' ? name.normalize('NFKC') : look;
}
