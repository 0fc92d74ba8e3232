/** Signs that look like a Latin letter, by that letter; case is folded before. */
const LIKE: Readonly<Record<string, string>> = {
  a: 'аαɑ',
  b: 'вβ',
  c: 'сϲ',
  d: 'ԁ',
  e: 'еε',
  g: 'ɡ',
  h: 'һн',
  j: 'ј',
  k: 'кκ',
  l: '1|iıіιӏǀ',
  m: 'м',
  n: 'ηп',
  o: '0оοо',
  p: 'рρ',
  q: 'ԛ',
  r: 'г',
  s: 'ѕ',
  t: 'тτ',
  u: 'υц',
  v: 'ν',
  w: 'ԝω',
  x: 'хχ',
  y: 'уү',
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
