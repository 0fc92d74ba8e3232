import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { withinTime } from '../base/within-time.ts';
import type { LimitsView } from '../contract/views.ts';
import { setPicture } from '../spheres/set-picture.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { AccountSession } from './account-session.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { folderCalls } from './folder-calls.ts';
import type { GivenPicture } from './given-picture.ts';
import { givenPicture } from './given-picture.ts';
import { memberCalls } from './member-calls.ts';
import { ownerCalls } from './owner-calls.ts';

const DONE = { ok: true as const };

/** A wrong address is best told while the person still looks at it; whose server takes its time is told at their row. */
const ADDRESS_WAIT_MS = 3_000;

/** Waits until something is known of the address, but not for long. */
async function askAround(
  { directory, rooms, list }: AccountSession,
  { sphereId, jid }: { readonly sphereId: SphereId; readonly jid: BareJid },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const told = Promise.withResolvers<void>();
  const stop = directory.onTrouble.on((who) => {
    if (who === jid) told.resolve();
  });
  try {
    await withinTime({ clock, ms: ADDRESS_WAIT_MS }, signal, async (limited) => {
      const deviceIds = await Promise.race([directory.deviceIds(jid), untilAborted(limited)]);
      if (deviceIds.length > 0 || directory.trouble(jid) !== null) return;
      // Without keys nothing sealed can be sent, and many servers say of a message only that nobody is there. To an
      // ordinary program it shows that there is a room to come into.
      await rooms.invite(list.get(sphereId).row.room, jid, 'store');
      await Promise.race([told.promise, untilAborted(limited)]);
    });
  } catch (error) {
    signal.throwIfAborted();
    // The invitation is kept and goes out; what keeps it is told later.
    if (!['timed-out', 'disconnected', 'not-a-member'].includes(errorCode(error))) throw error;
  } finally {
    stop();
  }
}

async function leave(
  { members, items, list }: AccountSession,
  { sphereId }: { readonly sphereId: SphereId },
  signal: AbortSignal,
): Promise<typeof DONE> {
  await members.leave(sphereId, signal);
  await items.stopSphere(list.get(sphereId));
  return DONE;
}

async function withPerson({ ofTwo, storage }: AccountSession, jid: BareJid, signal: AbortSignal): Promise<Sphere> {
  if (storage.blocked.has(jid)) throw new AppError('not-allowed', 'this person is blocked');
  return await ofTwo.with(jid, signal);
}

async function setLimits(
  { holder, feed, views }: AppCallsDeps,
  {
    sphereId,
    up,
    down,
  }: { readonly sphereId: SphereId } & { readonly up?: number | undefined; readonly down?: number | undefined },
): Promise<LimitsView> {
  const { list, storage } = holder.session;
  const sphere = list.get(sphereId);
  const before = sphere.row.limits;
  const limits = { up: up ?? before.up, down: down ?? before.down };
  storage.spheres.update(sphereId, { limits });
  await feed.setSphereLimits(sphereId, limits);
  views.emitSphere(sphere);
  return limits;
}

/** Drawn anew here: nothing else of the file leaves this computer. */
async function changePicture(
  { holder, mediaTools }: AppCallsDeps,
  { sphereId, picture }: { readonly sphereId: SphereId; readonly picture: GivenPicture | null },
  signal: AbortSignal,
): Promise<typeof DONE> {
  const { list } = holder.session;
  const drawn = picture === null ? null : await mediaTools.portrait(await givenPicture(picture), signal);
  if (picture !== null && drawn === null) throw new AppError('bad-input', 'this is no picture that can be shown');
  setPicture(list, sphereId, drawn?.image ?? null);
  return DONE;
}

/** Founding, inviting, joining and leaving spheres. */
export function sphereCalls(deps: AppCallsDeps): AppServices['spheres'] {
  const { holder, views, clock } = deps;
  return {
    async create(founding, signal) {
      return { sphere: views.sphere(await holder.session.members.found(founding, signal)) };
    },
    withPerson: async ({ jid }, signal) => ({ sphere: views.sphere(await withPerson(holder.session, jid, signal)) }),
    list: () => Promise.resolve({ spheres: views.spheres() }),
    ...memberCalls(deps),
    async invite({ sphereId, jid, role }, signal) {
      const { session } = holder;
      await session.members.inviteAs(sphereId, jid, role, signal);
      await askAround(session, { sphereId, jid }, clock, signal);
      return { ok: true as const, trouble: session.directory.trouble(jid) };
    },
    ...ownerCalls(deps),
    readWithheld({ sphereId }) {
      const { list, logs } = holder.session;
      logs.withheld.read(list.get(sphereId));
      return Promise.resolve(DONE);
    },
    rename({ sphereId, name }) {
      holder.session.members.rename(sphereId, name);
      return Promise.resolve(DONE);
    },
    setPicture: (given, signal) => changePicture(deps, given, signal),
    ...folderCalls(deps),
    setLimits: (change) => setLimits(deps, change),
    leave: (which, signal) => leave(holder.session, which, signal),
    invitations: () => Promise.resolve({ invitations: views.invitations() }),
    async join({ invitationId }, signal) {
      const sphere = await holder.session.members.join(invitationId, signal);
      views.onEvent.emit({ kind: 'invitation-removed', id: invitationId });
      return { sphere: views.sphere(sphere) };
    },
    decline({ invitationId }) {
      holder.session.members.decline(invitationId);
      views.onEvent.emit({ kind: 'invitation-removed', id: invitationId });
      return Promise.resolve(DONE);
    },
    forget({ sphereId }) {
      holder.session.members.forget(sphereId);
      return Promise.resolve(DONE);
    },
    markRead({ sphereId, what }) {
      holder.session.reading.markRead(sphereId, what);
      return Promise.resolve(DONE);
    },
  };
}
