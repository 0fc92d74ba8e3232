/** A removal as its line is kept: with the number of things that the removed one was known to have when it was heard of. */
export function removalLine(known: number): string {
  return `removed ${known}`;
}

/** undefined when the line tells of something else. */
export function readRemovalLine(text: string): number | undefined {
  const digits = /^removed (\d+)$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
