import type { BareJid, DeviceKey, EventId, SphereId } from '../../base/id.ts';
import type { Content } from './content.ts';
import type { KnownEvent } from './event.ts';
import type { DeviceLine } from './gaps.ts';
import { forksOf, headsOf } from './gaps.ts';
import type { LogOrder } from './log-order.ts';
import type { Membership } from './membership.ts';
import type { SphereDevice, SphereMember, SphereState, TimelineEntry } from './sphere-state.ts';
import type { HoldReason, RefusalReason, Verdict } from './verdict.ts';

/** The newest certificates of a person win: nobody crowds out the others' devices. */
const MAX_DEVICES_PER_PERSON = 16;

/** Copies what was folded into one immutable picture. */
export function describeState(input: {
  readonly sphereId: SphereId;
  readonly order: LogOrder;
  readonly membership: Membership;
  readonly content: Content;
  readonly lines: ReadonlyMap<DeviceKey, DeviceLine>;
}): SphereState {
  const { sphereId, order, membership, content, lines } = input;
  const { genesis } = membership;
  const verdicts = [...membership.verdicts, ...content.verdicts];
  const snapshot = content.snapshot();
  let timeline: readonly TimelineEntry[] | undefined;
  return {
    sphereId,
    genesis: genesis === null ? null : describeGenesis(genesis),
    name: content.name,
    members: describeMembers(membership),
    devices: describeDevices(membership),
    endedDevices: new Map(membership.ended),
    accounts: new Map(membership.accounts),
    epochs: snapshot.epochs,
    currentEpoch: content.currentEpoch,
    isEpochDue: content.isEpochDue,
    get items() {
      return snapshot.items();
    },
    get timeline() {
      timeline ??= snapshot.timeline();
      return timeline;
    },
    refused: refusals(verdicts),
    held: holds(verdicts, order),
    forks: forksOf(lines),
    newestMembership: membership.newest,
    nextLamport: order.nextLamport,
    heads: headsOf(lines),
  };
}

function describeGenesis({ body, header }: KnownEvent<'genesis'>): NonNullable<SphereState['genesis']> {
  const { room, policy, ownerJid, partner } = body;
  const pair = partner === undefined ? null : { founder: ownerJid, partner, wallMs: header.wallMs };
  return { room, policy, owner: header.person, pair };
}

function describeMembers(membership: Membership): Map<BareJid, SphereMember> {
  const members = new Map<BareJid, SphereMember>();
  for (const { jid, person, role, state, began } of membership.members.values())
    members.set(jid, { jid, person, role, state, began });
  return members;
}

function describeDevices(membership: Membership): Map<DeviceKey, SphereDevice> {
  const devices = new Map<DeviceKey, SphereDevice>();
  for (const record of membership.members.values()) {
    if (record.state !== 'joined' || record.person === null) continue;
    for (const entry of devicesOf(membership, record.person)) devices.set(entry.device, entry);
  }
  return devices;
}

function devicesOf(membership: Membership, person: string): SphereDevice[] {
  const found: SphereDevice[] = [];
  for (const key of membership.certificates.devices()) {
    if (membership.ended.has(key)) continue;
    const event = membership.certificates.of(key).findLast((entry) => entry.header.person === person);
    if (event === undefined) continue;
    const { device, jid, omemoDeviceId, omemoIdentityKey, vouched } = event.body;
    found.push({
      device,
      person: event.body.person,
      certificate: event.id,
      jid,
      omemoDeviceId,
      omemoIdentityKey,
      vouched,
    });
  }
  return found.slice(-MAX_DEVICES_PER_PERSON);
}

function refusals(verdicts: readonly (readonly [EventId, Verdict])[]): Map<EventId, RefusalReason> {
  const reasons = new Map<EventId, RefusalReason>();
  for (const [id, verdict] of verdicts) if (verdict.kind === 'refused') reasons.set(id, verdict.reason);
  return reasons;
}

function holds(verdicts: readonly (readonly [EventId, Verdict])[], order: LogOrder): Map<EventId, HoldReason> {
  const reasons = new Map(order.held);
  for (const [id, verdict] of verdicts) if (verdict.kind === 'held') reasons.set(id, verdict.reason);
  return reasons;
}
