import type { DeviceKey, EventId } from '../../base/id.ts';
import type { Head, Heads } from './sphere-state.ts';

/** The events of one device that are here; more than one id at a sequence is a fork. */
export interface DeviceLine {
  highest: number;
  readonly bySequence: Map<number, readonly EventId[]>;
  /** Sequences with more than one id. */
  readonly forked: Set<number>;
}

/** An event that whoever has it tells of: the newest of a device, or one of several with the same sequence. */
export interface Tip extends Head {
  readonly device: DeviceKey;
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
    // The smaller id of a forked head; `tipsOf` names them all.
    const [hash] = line.bySequence.get(line.highest) ?? [];
    if (hash !== undefined) heads.set(device, { sequence: line.highest, hash });
  }
  return heads;
}

/** Nobody fills our messages with branches of one device, */
const MAX_TIPS_OF_DEVICE = 16;
/** nor with devices that nobody has proven. */
const MAX_UNPROVEN = 16;

/**
 * What to tell others of what is here, by device: the heads, and every branch, or nobody would learn of the other one.
 * Of whose beginning is not here we know nothing yet: it is theirs to make themselves known, and others' to tell.
 */
export function tipsOf(
  lines: ReadonlyMap<DeviceKey, DeviceLine>,
  isProven: (device: DeviceKey) => boolean = () => true,
): Tip[] {
  const tips: Tip[] = [];
  let unproven = 0;
  for (const [device, line] of [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!line.bySequence.has(0)) continue;
    if (!isProven(device)) unproven += 1;
    if (!isProven(device) && unproven > MAX_UNPROVEN) continue;
    const sequences = [...new Set([line.highest, ...line.forked])].toSorted((a, b) => b - a);
    const found = sequences.flatMap((sequence) =>
      (line.bySequence.get(sequence) ?? []).map((hash) => ({ device, sequence, hash })),
    );
    tips.push(...found.slice(0, MAX_TIPS_OF_DEVICE));
  }
  return tips;
}

export function forksOf(lines: ReadonlyMap<DeviceKey, DeviceLine>): Map<DeviceKey, readonly number[]> {
  const forks = new Map<DeviceKey, readonly number[]>();
  for (const [device, { forked }] of lines) {
    if (forked.size > 0)
      forks.set(
        device,
        [...forked].sort((a, b) => a - b),
      );
  }
  return forks;
}

/** Nobody makes us ask for more at once by naming a high number. */
const MAX_RANGE = 1024;

/** Gaps below our own heads, and what lies between them and what somebody else tells of. */
export function findMissing(lines: ReadonlyMap<DeviceKey, DeviceLine>, remote: readonly Tip[]): MissingRange[] {
  const ranges: MissingRange[] = [];
  const theirs = Map.groupBy(remote, ({ device }) => device);
  for (const device of new Set([...lines.keys(), ...theirs.keys()])) {
    const line = lines.get(device);
    ranges.push(...gapsIn(device, line));
    const next = (line?.highest ?? -1) + 1;
    const tips = theirs.get(device) ?? [];
    const highest = Math.max(-1, ...tips.map(({ sequence }) => sequence));
    if (highest >= next) ranges.push(range(device, next, highest));
    const branches = new Set(
      tips.filter((tip) => tip.sequence < next && isBranch(line, tip)).map((tip) => tip.sequence),
    );
    for (const sequence of branches) ranges.push(range(device, sequence, sequence));
  }
  return ranges;
}

function gapsIn(device: DeviceKey, line: DeviceLine | undefined): MissingRange[] {
  const ranges: MissingRange[] = [];
  // Nearly always nothing is missing, and there may be very many events.
  if (line === undefined || line.bySequence.size === line.highest + 1) return ranges;
  let next = 0;
  for (const sequence of [...line.bySequence.keys()].sort((a, b) => a - b)) {
    if (sequence > next) ranges.push(range(device, next, sequence - 1));
    next = sequence + 1;
  }
  return ranges;
}

/**
 * The end of the unbroken chain of a device, on the branch that goes furthest; undefined when its first event is not here.
 */
export function chainEnd(line: DeviceLine, previousOf: (id: EventId) => EventId | null): Head | undefined {
  let reached = line.bySequence.get(0) ?? [];
  for (let sequence = 0; ; sequence += 1) {
    const next = line.bySequence.get(sequence + 1)?.filter((id) => reached.includes(previousOf(id) ?? id)) ?? [];
    const [hash] = reached;
    if (hash === undefined) return undefined;
    if (next.length === 0) return { sequence, hash };
    reached = next;
  }
}

/** Whether somebody who tells of these lacks something that is here. Gaps below their heads they know themselves. */
export function isAhead(own: readonly Tip[], remote: readonly Tip[]): boolean {
  const theirs = Map.groupBy(remote, ({ device }) => device);
  return own.some((tip) => {
    const tips = theirs.get(tip.device) ?? [];
    if (tips.some(({ hash }) => hash === tip.hash)) return false;
    const highest = Math.max(-1, ...tips.map(({ sequence }) => sequence));
    const isOneOfSeveral = own.some(
      (other) => other.device === tip.device && other.sequence === tip.sequence && other !== tip,
    );
    return tip.sequence >= highest || (isOneOfSeveral && tips.length < MAX_TIPS_OF_DEVICE);
  });
}

function isBranch(line: DeviceLine | undefined, head: Head): boolean {
  const ids = line?.bySequence.get(head.sequence);
  return ids !== undefined && !ids.includes(head.hash);
}

function range(device: DeviceKey, from: number, to: number): MissingRange {
  return { device, from, to: Math.min(to, from + MAX_RANGE - 1) };
}
