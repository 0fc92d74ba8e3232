import type { FileIdentity, Segment } from '../contract/swarm.ts';

/** `identities` are in the order of the file segments; those that are left over keep what they have. */
export function identify(segments: readonly Segment[], identities: readonly FileIdentity[]): Segment[] {
  let next = 0;
  return segments.map((segment) => {
    if (segment.kind !== 'file') return segment;
    const identity = identities[next] ?? segment.identity;
    next += 1;
    return { ...segment, identity };
  });
}
