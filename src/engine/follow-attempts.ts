import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { MendedRight } from '../spheres/caretaker.ts';
import { roomRights } from '../spheres/caretaker.ts';
import type { ServerHabit } from '../spheres/server-habits.ts';
import { domainOf } from '../xmpp/jid.ts';
import type { AccountSession } from './account-session.ts';
import type { Notice } from './notice.ts';

const DAY_MS = 24 * 3_600_000;
const MONTH_MS = 30 * DAY_MS;
/** Word of a change that another organiser made may come after the change. */
const PATIENCE_MS = 120_000;
const TOLD = 'told-attempt';
const HABITS: Readonly<Record<ServerHabit, string>> = {
  repeats: 'messages-repeated',
  reorders: 'messages-reordered',
  forgets: 'archive-forgets',
};

/** Whether it was told now: of what was told before on the same day it is not. */
type TellOnce = (server: string, notice: Notice, about?: string) => boolean;

/** Tells in plain words what a server tried and what did not work, each kind once a day and server. */
export function followAttempts(session: AccountSession, tell: (notice: Notice) => void, clock: Clock): () => void {
  const { storage, people, directory, caretaker, names, own, scope } = session;
  const tellOnce: TellOnce = (server, notice, about = `${notice.code} ${server}`) => {
    const nowMs = clock.now();
    const isFirst = storage.seen.add(TOLD, `${about} ${Math.floor(nowMs / DAY_MS)}`, nowMs);
    if (isFirst) tell({ ...notice, params: { ...notice.params, server } });
    return isFirst;
  };
  const tellOf = (jid: BareJid, codes: { readonly own: string; readonly theirs: string }): void => {
    const params = jid === own ? {} : { person: names.of(jid) };
    tellOnce(domainOf(jid), { code: jid === own ? codes.own : codes.theirs, params });
  };
  const stops = [
    people.devices.onStrange.on((jid) => tellOf(jid, { own: 'strange-device-own', theirs: 'strange-device' })),
    directory.onSwapped.on(({ jid }) => tellOf(jid, { own: 'key-swapped-own', theirs: 'key-swapped' })),
    caretaker.onMended.on((mended) => {
      scope.spawn('tell of rights that were put back', async (signal) => {
        await clock.sleep(PATIENCE_MS, signal);
        const notice = rightsNotice(session, mended);
        if (notice !== undefined) tellOnce(domainOf(mended.room), notice);
      });
    }),
    followAdded(session, tell, clock),
    followWithheld(session, tellOnce),
    followHabits(session, tell, clock),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Whom a room lets in although no member ever invited them, unless word of that comes a moment later. */
function followAdded(session: AccountSession, tell: (notice: Notice) => void, clock: Clock): () => void {
  const { storage, rooms, list, logs, names, scope } = session;
  const waiting = new Set<BareJid>();
  const untold = (room: BareJid): BareJid[] => {
    const sphere = list.ofRoom(room);
    // Who lacks a part of the log may lack the invitation.
    if (sphere === undefined || sphere.state.genesis === null || !logs.isComplete(sphere)) return [];
    const { state } = sphere;
    const isKnown = (jid: BareJid): boolean => state.members.has(jid) || state.moved.has(jid);
    return [...rooms.listed(room)].filter((jid) => !isKnown(jid) && !storage.seen.has(TOLD, `added ${room} ${jid}`));
  };
  const look = (room: BareJid): void => {
    if (waiting.has(room) || untold(room).length === 0) return;
    waiting.add(room);
    scope.spawn('tell of people whom a server added', async (signal) => {
      await clock.sleep(PATIENCE_MS, signal);
      waiting.delete(room);
      const [sphere, added] = [list.ofRoom(room), untold(room)];
      if (sphere === undefined || added.length === 0) return;
      for (const jid of added) storage.seen.add(TOLD, `added ${room} ${jid}`, clock.now());
      const people = added.map((jid) => names.of(jid)).join(', ');
      tell({ code: 'people-added', params: { people, sphere: sphere.state.name, server: domainOf(room) } });
    });
  };
  const stops = [rooms.onPresence.on(look), logs.onGathered.on(({ row }) => look(row.room))];
  return () => {
    for (const stop of stops) stop();
  };
}

/** All that a server kept from us in a sphere, and of which the person has not read, is told as one. */
function followWithheld({ logs, names }: AccountSession, tellOnce: TellOnce): () => void {
  return logs.withheld.onFound.on((sphere) => {
    const all = logs.withheld.found(sphere);
    if (all === null) return;
    const people = all.by.map((jid) => names.of(jid)).join(', ');
    const params = { sphere: sphere.state.name, count: String(all.count), people };
    const code = all.count === 1 ? 'message-withheld' : 'messages-withheld';
    tellOnce(domainOf(sphere.row.room), { code, params }, `withheld ${sphere.id}`);
  });
}

/** What a server does again and again, and what harms nobody, is told once a month and sphere. */
function followHabits({ storage, logs }: AccountSession, tell: (notice: Notice) => void, clock: Clock): () => void {
  return logs.habits.onFound.on(({ sphere, habit }) => {
    const nowMs = clock.now();
    if (!storage.seen.add(TOLD, `${habit} ${sphere.id} ${Math.floor(nowMs / MONTH_MS)}`, nowMs)) return;
    tell({ code: HABITS[habit], params: { sphere: sphere.state.name, server: domainOf(sphere.row.room) } });
  });
}

/** Nothing when the sphere says by now that it was to be so. */
function rightsNotice({ list, names }: AccountSession, { room, jid, right }: MendedRight): Notice | undefined {
  const state = list.ofRoom(room)?.state;
  if (state === undefined || (roomRights(state).get(jid) ?? 'none') !== right) return undefined;
  return { code: 'rights-changed', params: { person: names.of(jid), sphere: state.name } };
}
