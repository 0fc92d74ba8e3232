// BEP 3: peer messages, BEP 6: Fast Extension, BEP 10: Extension Protocol

export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  uninterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  extended: 20,
} as const;

/** What webtorrent may say to the other end: nothing of extensions and ports, and no blocks. */
export const SAID: ReadonlySet<number> = new Set([
  ...[MESSAGE.choke, MESSAGE.unchoke, MESSAGE.interested, MESSAGE.uninterested, MESSAGE.request, MESSAGE.cancel],
  ...[MESSAGE.have, MESSAGE.bitfield, MESSAGE.haveAll, MESSAGE.haveNone],
]);
