import type { DeviceKey, EventId } from '../../base/id.ts';
import type { LastAccepted, SphereRole } from './event-body.ts';
import type { SignedEvent } from './event.ts';

/** A line through a member's events, drawn by a removal, a lowered role or a leave. */
export interface Cut {
  /** Place of the event that drew it. */
  readonly position: number;
  /** What the member may do beyond the line; null = nothing. */
  readonly role: SphereRole | null;
  /** true = only what leads to a listed event is on this side; false = everything that is not after one. */
  readonly isStrict: boolean;
  readonly lines: ReadonlyMap<DeviceKey, CutLine>;
}

interface CutLine {
  readonly sequence: number;
  readonly hash: EventId;
  /** The accepted chain, as far down as it is known. */
  readonly chain: ReadonlySet<EventId>;
}

export function drawCut(
  input: Pick<Cut, 'position' | 'role' | 'isStrict'> & { readonly lastAccepted: LastAccepted },
  byId: ReadonlyMap<EventId, SignedEvent>,
): Cut {
  const { position, role, isStrict, lastAccepted } = input;
  const lines = new Map(lastAccepted.map((last) => [last.device, { ...last, chain: chainFrom(last, byId) }] as const));
  return { position, role, isStrict, lines };
}

/**
 * True for what comes after the line. Under a strict cut also for what is not known to lead to it: a line may name an
 * event that is not here yet, and one that names none at all must not let anything through.
 */
export function isBeyond(cut: Cut, event: SignedEvent): boolean {
  const { device, sequence } = event.header;
  const line = cut.lines.get(device);
  if (line === undefined) return cut.isStrict;
  if (cut.isStrict) return !line.chain.has(event.id);
  return sequence >= line.sequence && event.id !== line.hash;
}

function chainFrom(last: LastAccepted[number], byId: ReadonlyMap<EventId, SignedEvent>): Set<EventId> {
  const chain = new Set<EventId>();
  let event = byId.get(last.hash);
  let { sequence } = last;
  while (event !== undefined && event.header.device === last.device && event.header.sequence === sequence) {
    chain.add(event.id);
    sequence -= 1;
    event = event.header.previous === null ? undefined : byId.get(event.header.previous);
  }
  return chain;
}
