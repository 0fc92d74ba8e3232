/** Why an event waits: it may still come into force when something else arrives. */
export type HoldReason =
  /** The first event of the sphere is not here. */
  | 'genesis-missing'
  /** Its Lamport time is more than 2^20 ahead of all others. */
  | 'lamport-ahead'
  /** The membership event it refers to is not here, or waits itself. */
  | 'membership-missing'
  /** The certificate of its device is not here. */
  | 'certificate-missing';

/** Why an event has no effect. */
export type RefusalReason =
  | 'other-sphere'
  | 'malformed'
  /** Its Lamport time or its predecessor contradicts the events it names. */
  | 'broken-chain'
  /** The certificate or the proof of an invitation does not hold. */
  | 'unproven'
  | 'not-a-member'
  /** Beyond the last accepted event of a removed member's device. */
  | 'removed'
  /** The author's role does not reach so far. */
  | 'not-allowed'
  /** A stronger decision was taken at the same time. */
  | 'overruled'
  | 'not-invited'
  | 'already-a-member'
  | 'no-such-member'
  | 'sphere-full'
  | 'wrong-epoch';

export type Verdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'held'; readonly reason: HoldReason }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

export const ACCEPTED: Verdict = { kind: 'accepted' };

export function refused(reason: RefusalReason): Verdict {
  return { kind: 'refused', reason };
}

/** `obstacle`: why not; null = nothing speaks against it. */
export function judged(obstacle: RefusalReason | null): Verdict {
  return obstacle === null ? ACCEPTED : refused(obstacle);
}
