import type { BareJid, DeviceKey, EventId, PersonId, SphereId } from '../../base/id.ts';
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
  const moved = describeMoved(membership);
  let timeline: readonly TimelineEntry[] | undefined;
  return {
    sphereId,
    genesis: genesis === null ? null : describeGenesis(genesis, moved),
    name: content.name,
    members: describeMembers(membership),
    devices: describeDevices(membership),
    endedDevices: new Map(membership.ended),
    accounts: new Map(membership.book.accounts),
    moved,
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

function describeGenesis(
  { body, header }: KnownEvent<'genesis'>,
  moved: SphereState['moved'],
): NonNullable<SphereState['genesis']> {
  const { room, policy, ownerJid, partner } = body;
  const nowOf = (jid: BareJid): BareJid => moved.get(jid) ?? jid;
  const pair =
    partner === undefined ? null : { founder: nowOf(ownerJid), partner: nowOf(partner), wallMs: header.wallMs };
  return { room, policy, owner: header.person, pair };
}

function describeMembers(membership: Membership): Map<BareJid, SphereMember> {
  const members = new Map<BareJid, SphereMember>();
  for (const { jid, person, role, state, began } of membership.book.members.values())
    members.set(jid, { jid, person, role, state, began });
  return members;
}

/** Of an address that somebody else was asked at since, nobody has moved away. */
function describeMoved({ book }: Membership): Map<BareJid, BareJid> {
  const moved = new Map<BareJid, BareJid>();
  for (const [jid, person] of book.moved) {
    const account = book.accounts.get(person);
    if (account !== undefined && !book.members.has(jid)) moved.set(jid, account);
  }
  return moved;
}

function describeDevices(membership: Membership): Map<DeviceKey, SphereDevice> {
  const devices = new Map<DeviceKey, SphereDevice>();
  const gone = endedKeys(membership);
  for (const record of membership.book.members.values()) {
    if (record.state !== 'joined' || record.person === null) continue;
    for (const entry of devicesOf(membership, { person: record.person, jid: record.jid })) {
      // Another computer of the person may have vouched for one that was ended since.
      const vouched = entry.vouched.filter(({ identityKey }) => !gone.has(identityKey));
      devices.set(entry.device, { ...entry, vouched });
    }
  }
  return devices;
}

/** The OMEMO keys of devices that count no more. */
function endedKeys({ ended, certificates }: Membership): Set<string | null> {
  return new Set([...ended.keys()].flatMap((key) => certificates.of(key).map(({ body }) => body.omemoIdentityKey)));
}

/** Of several certificates of a device the newest one for the person's account holds, else the newest. */
function devicesOf(membership: Membership, at: { readonly person: PersonId; readonly jid: BareJid }): SphereDevice[] {
  const found: SphereDevice[] = [];
  for (const key of membership.certificates.devices()) {
    if (membership.ended.has(key)) continue;
    const theirs = membership.certificates.of(key).filter((entry) => entry.header.person === at.person);
    const event = theirs.findLast((entry) => entry.body.jid === at.jid) ?? theirs.at(-1);
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
