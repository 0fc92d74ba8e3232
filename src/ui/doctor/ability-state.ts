/** Whether a server can do a thing, as a word; null = it could not be told. */
export function abilityState(has: boolean | null): 'has' | 'lacks' | 'unknown' {
  if (has === null) return 'unknown';
  return has ? 'has' : 'lacks';
}
