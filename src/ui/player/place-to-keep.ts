/** Below this a film has hardly begun. */
const BEGUN_S = 10;
/** Shorter ones are begun anew: a clip, a song. */
const MIN_LENGTH_S = { video: 45, audio: 600 } as const;
/** The last words and the credits. */
const END_S = 15;
const END_SHARE = 0.04;

/** Where to go on the next time, in ms; 0 = from the beginning. Place and length in seconds, as the page tells them. */
export function placeToKeep(kind: 'video' | 'audio', placeS: number, lengthS: number): number {
  // A stream without an end, or one whose length is not known yet.
  if (!Number.isFinite(lengthS) || !Number.isFinite(placeS) || lengthS < MIN_LENGTH_S[kind]) return 0;
  const isOver = lengthS - placeS < Math.max(END_S, lengthS * END_SHARE);
  return placeS < BEGUN_S || isOver ? 0 : Math.round(placeS * 1000);
}
