import type { DeviceKey, EventId } from '../../base/id.ts';
import type { LastAccepted, SphereRole } from './event-body.ts';
import type { SignedEvent } from './event.ts';

/** A line through a member's events, drawn by a removal, a lowered role or a leave. */
export interface Cut {
  /** Place of the event that drew it. */
  readonly position: number;
  /** What the member may do beyond the line; null = nothing. */
  readonly role: SphereRole | null;
  /** Whether all events of devices that are not listed lie beyond. */
  readonly coversUnlisted: boolean;
  readonly lines: ReadonlyMap<DeviceKey, CutLine>;
}

interface CutLine {
  readonly sequence: number;
  readonly hash: EventId;
  /** The accepted chain by sequence, as far down as it is known. */
  readonly chain: ReadonlyMap<number, EventId>;
}

export function drawCut(
  input: Pick<Cut, 'position' | 'role' | 'coversUnlisted'> & { readonly lastAccepted: LastAccepted },
  byId: ReadonlyMap<EventId, SignedEvent>,
): Cut {
  const { position, role, coversUnlisted, lastAccepted } = input;
  const lines = new Map(
    lastAccepted.map(({ device, sequence, hash }) => [device, { sequence, hash, chain: chainFrom(hash, byId) }]),
  );
  return { position, role, coversUnlisted, lines };
}

/** True for later events of the device, and for those of a branch that does not lead to the last accepted one. */
export function isBeyond(cut: Cut, event: SignedEvent): boolean {
  const { device, sequence } = event.header;
  const line = cut.lines.get(device);
  if (line === undefined) return cut.coversUnlisted;
  if (sequence >= line.sequence) return event.id !== line.hash;
  const accepted = line.chain.get(sequence);
  return accepted !== undefined && accepted !== event.id;
}

function chainFrom(hash: EventId, byId: ReadonlyMap<EventId, SignedEvent>): Map<number, EventId> {
  const chain = new Map<number, EventId>();
  let event = byId.get(hash);
  // The sequence must fall: a forged chain of hashes cannot make a circle, but a wrong sequence could overwrite.
  while (event !== undefined && !chain.has(event.header.sequence)) {
    chain.set(event.header.sequence, event.id);
    event = event.header.previous === null ? undefined : byId.get(event.header.previous);
  }
  return chain;
}
