import { devicesUriOf, xmppUriOf } from '../base/xmpp-uri.ts';
import type { BareJid, PersonId } from '../base/id.ts';
import { AppError } from '../base/errors.ts';
import { fingerprintOf } from '../people/fingerprints.ts';
import { ManualTrust } from '../spheres/manual-trust.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import { toldMoves } from '../spheres/told-moves.ts';
import type { AccountSession } from './account-session.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { viewNumber } from './number-view.ts';

const DONE = { ok: true as const };

/** The list of people, requests, and who is shut out. */
export function peopleCalls(deps: AppCallsDeps): AppServices['people'] {
  const { holder, views } = deps;
  const contacts = () => holder.session.people.contacts;
  return {
    ...verifyCalls(deps),
    ...compareCalls(deps),
    list: () => Promise.resolve({ people: views.people() }),
    async add({ jid, name, token }, signal) {
      await contacts().add(jid, { name: textOrNull(name), token }, signal);
      return { person: views.person(jid) };
    },
    open({ jid }) {
      const { people, own } = holder.session;
      if (jid === own) throw new AppError('conflict', 'this is our own address');
      people.contacts.meet(jid, true);
      people.contacts.onChange.emit(jid);
      return Promise.resolve({ person: views.person(jid) });
    },
    async rename({ jid, name }, signal) {
      await contacts().rename(jid, textOrNull(name), signal);
      return DONE;
    },
    async remove({ jid }, signal) {
      await contacts().remove(jid, signal);
      return DONE;
    },
    async decline({ jid }) {
      await contacts().decline(jid);
      return DONE;
    },
    async follow({ jid: to }, signal) {
      const former = contacts().moved.formerOf(to);
      if (former === undefined) throw new AppError('not-found', 'nobody we know has moved there');
      const move = { from: former.from, to };
      await contacts().follow(move, signal, () => takeNumbersAlong(holder.session, move));
      return DONE;
    },
    async block({ jid, report }, signal) {
      const { people } = holder.session;
      // Whom one shuts out is no request any more, and stays findable to be let in again.
      people.contacts.meet(jid, true);
      await people.blocked.block(jid, { report }, signal);
      return DONE;
    },
    async unblock({ jid }, signal) {
      await holder.session.people.blocked.unblock(jid, signal);
      return DONE;
    },
    markRead({ jid }) {
      const { people, ofTwo, reading } = holder.session;
      people.talk.markRead(jid);
      for (const { id } of ofTwo.all(jid)) reading.markRead(id, 'all');
      people.contacts.onChange.emit(jid);
      return Promise.resolve(DONE);
    },
  };
}

/** Whose number was compared has it at the new address. */
function takeNumbersAlong(
  { list, storage }: AccountSession,
  { from, to }: { readonly from: BareJid; readonly to: BareJid },
): void {
  const moves = list.all().flatMap((sphere) => toldMoves(sphere));
  const meant = moves.filter((move) => move.from === from && move.to === to);
  // Somebody else may sit at the old one next.
  if (meant.some(({ person }) => storage.verified.has(person))) ManualTrust.keep(storage, from);
  for (const { person } of meant) storage.verified.move(person, to);
}

/** Knowing that nobody stands between two people. */
function verifyCalls({
  holder,
  clock,
}: AppCallsDeps): Pick<AppServices['people'], 'numbers' | 'verify' | 'chooseDevice'> {
  return {
    async numbers({ person }) {
      const isThere = ({ state }: Sphere): boolean =>
        [...state.members.values()].some((member) => member.person === person && member.state === 'joined');
      const sphere = holder.session.list.all().find(isThere);
      if (sphere === undefined) throw new AppError('not-found', 'no such member');
      const [own, theirs] = await Promise.all([viewNumber(sphere.person), viewNumber(person)]);
      return { own, theirs, code: xmppUriOf(holder.session.own, null, sphere.person) };
    },
    async chooseDevice(input, signal) {
      const { people, devices, own } = holder.session;
      await people.chooseDevice(input, signal);
      if (input.jid === own) devices.vouchAgain();
      return DONE;
    },
    verify({ person, jid, isSame }) {
      const { storage, list, people } = holder.session;
      const known = list.all().filter(({ state }) => state.members.get(jid)?.person === person);
      if (known.length === 0) throw new AppError('not-found', 'no such member');
      storage.transaction(() => {
        // Who was compared before under this address is somebody else.
        if (isSame) storage.verified.removeAccount(jid);
        if (isSame) storage.verified.put({ person, jid, atMs: clock.now() });
        else if (storage.verified.remove(person)) ManualTrust.keep(storage, jid);
      });
      for (const sphere of known) {
        list.announce(sphere, [{ kind: 'members' }]);
        introduce(list, sphere, { person, isKnown: isSame });
      }
      people.devices.onChange.emit(jid);
      return Promise.resolve(DONE);
    },
  };
}

/** Knowing whose devices they are, of somebody who is met in no sphere. */
function compareCalls({ holder }: AppCallsDeps): Pick<AppServices['people'], 'fingerprints' | 'compare'> {
  return {
    async fingerprints({ jid }, signal) {
      const { people, devices, own: account } = holder.session;
      const ours = devices
        .list()
        .filter(({ state, jid: at }) => at === account && (state === 'here' || state === 'known'));
      const own = ours.map(({ omemoDeviceId, omemoIdentityKey, name, state }) => {
        return {
          deviceId: omemoDeviceId,
          fingerprint: fingerprintOf(omemoIdentityKey),
          name,
          isHere: state === 'here',
        };
      });
      return { own, devices: await people.fingerprints.list(jid, signal), code: devicesUriOf(account, own) };
    },
    compare(input) {
      holder.session.people.compare(input);
      return Promise.resolve(DONE);
    },
  };
}

/** Tells our other devices, and those who know us, whom we know. */
function introduce(
  list: SphereList,
  sphere: Sphere,
  word: { readonly person: PersonId; readonly isKnown: boolean },
): void {
  const isSaid = sphere.log.introduced.get(sphere.person)?.has(word.person) === true;
  if (sphere.row.state !== 'joined' || isSaid === word.isKnown) return;
  list.publish(sphere, 'introduce', word, { audience: { kind: 'certified' } });
}

function textOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}
