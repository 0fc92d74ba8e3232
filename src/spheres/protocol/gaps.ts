import type { DeviceKey, EventId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';
import type { Head, Heads } from './sphere-state.ts';

/** The events of one device that are here; more than one id at a sequence is a fork. */
export interface DeviceLine {
  highest: number;
  readonly bySequence: Map<number, readonly EventId[]>;
}

/** Events of a device to ask for; both ends are included. */
export interface MissingRange {
  readonly device: DeviceKey;
  readonly from: number;
  readonly to: number;
}

export function headsOf(lines: ReadonlyMap<DeviceKey, DeviceLine>): Heads {
  const heads = new Map<DeviceKey, Head>();
  for (const [device, line] of lines) {
    // Of a forked head the smaller id is told; the other is found by comparing heads.
    const [hash] = line.bySequence.get(line.highest) ?? [];
    if (hash !== undefined) heads.set(device, { sequence: line.highest, hash });
  }
  return heads;
}

export function forksOf(lines: ReadonlyMap<DeviceKey, DeviceLine>): Map<DeviceKey, readonly number[]> {
  const forks = new Map<DeviceKey, readonly number[]>();
  for (const [device, line] of lines) {
    const sequences = [...line.bySequence].filter(([, ids]) => ids.length > 1).map(([sequence]) => sequence);
    if (sequences.length > 0)
      forks.set(
        device,
        sequences.sort((a, b) => a - b),
      );
  }
  return forks;
}

/** Nobody makes us ask for more at once by naming a high number. */
const MAX_RANGE = 1024;

/** Gaps below our own heads, and what lies between them and the heads that somebody else has. */
export function findMissing(lines: ReadonlyMap<DeviceKey, DeviceLine>, remote: Heads): MissingRange[] {
  const ranges: MissingRange[] = [];
  for (const device of new Set([...lines.keys(), ...remote.keys()])) {
    const line = lines.get(device);
    const theirs = remote.get(device);
    const known = [...(line?.bySequence.keys() ?? [])].sort((a, b) => a - b);
    let next = 0;
    for (const sequence of known) {
      if (sequence > next) ranges.push(range(device, next, sequence - 1));
      next = sequence + 1;
    }
    if (theirs === undefined) continue;
    if (theirs.sequence >= next) ranges.push(range(device, next, theirs.sequence));
    else if (isBranch(line, theirs)) ranges.push(range(device, theirs.sequence, theirs.sequence));
  }
  return ranges;
}

/** The end of the unbroken chain of a device; undefined when its first event is not here. */
export function chainEnd(line: DeviceLine, previousOf: (id: EventId) => EventId | null): Head | undefined {
  let [hash] = line.bySequence.get(0) ?? [];
  if (hash === undefined) return undefined;
  for (let sequence = 1; ; sequence += 1) {
    const next = line.bySequence.get(sequence)?.find((id) => previousOf(id) === hash);
    if (next === undefined) return { sequence: sequence - 1, hash };
    hash = next;
  }
}

/** Whether somebody whose head of this device is `head` lacks the event. */
export function isBehind(head: Head | undefined, event: SignedEvent): boolean {
  if (head === undefined || event.header.sequence > head.sequence) return true;
  return event.header.sequence === head.sequence && event.id !== head.hash;
}

function isBranch(line: DeviceLine | undefined, head: Head): boolean {
  const ids = line?.bySequence.get(head.sequence);
  return ids !== undefined && !ids.includes(head.hash);
}

function range(device: DeviceKey, from: number, to: number): MissingRange {
  return { device, from, to: Math.min(to, from + MAX_RANGE - 1) };
}
