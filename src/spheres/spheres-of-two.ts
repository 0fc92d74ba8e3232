import type { BareJid } from '../base/id.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { InvitationRow } from '../storage/invitation-table.ts';
import type { Storage } from '../storage/storage.ts';
import { logOfInvitation } from './invitation-book.ts';
import type { Members } from './members.ts';
import { partnerIn } from './partner-in.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface SpheresOfTwoDeps {
  readonly storage: Pick<Storage, 'invitations'>;
  readonly list: SphereList;
  readonly members: Pick<Members, 'found' | 'inviteAs' | 'join'>;
  readonly own: BareJid;
  /** Whether somebody is on our list of people: what they share needs no answer of ours. */
  readonly isContact: (jid: BareJid) => boolean;
  /** What somebody is called. */
  readonly nameOf: (jid: BareJid) => string;
  /** An invitation is to be answered by the person after all. */
  readonly onInvitation: (id: string) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly log: Logger;
}

/** Of an event that founds a sphere. */
const MAX_NAME = 200;

/**
 * What two people share with each other alone: a sphere that is made at the first file and needs no answer of people
 * who know each other.
 */
export class SpheresOfTwo {
  readonly #deps: SpheresOfTwoDeps;
  /** Two files dropped at once must not make two spheres. */
  readonly #turns = new SerialQueue();
  /** Invitations that could not be taken by themselves: the person answers them. */
  readonly #refused = new Set<string>();

  constructor(deps: SpheresOfTwoDeps) {
    this.#deps = deps;
  }

  /** The sphere to share with somebody in, made now when there is none. `disconnected` when that needs a connection. */
  with(jid: BareJid, signal: AbortSignal): Promise<Sphere> {
    if (jid === this.#deps.own) throw new AppError('conflict', 'nobody shares with themselves');
    return this.#turns.run(async () => {
      signal.throwIfAborted();
      const sphere = this.#current(jid) ?? (await this.#joinTheirs(jid, signal)) ?? (await this.#found(jid, signal));
      const isAsked = ['joined', 'invited'].includes(sphere.state.members.get(jid)?.state ?? '');
      if (!isAsked) await this.#deps.members.inviteAs(sphere.id, jid, 'member', signal);
      return sphere;
    });
  }

  /** All that were ever shared in with somebody: two that were made at the same time are both kept. */
  all(jid: BareJid): Sphere[] {
    const { list, own } = this.#deps;
    return list.all().filter((sphere) => partnerIn(sphere.state, sphere.ownJid(own)) === jid);
  }

  /** Whose invitation is taken without asking; it is not shown. */
  isTaken(row: InvitationRow): boolean {
    return this.#deps.isContact(row.from) && !this.#refused.has(row.id) && this.partnerOf(row) === row.from;
  }

  /** Who invites us to a sphere of two; null for all other invitations. */
  partnerOf(row: InvitationRow): BareJid | null {
    return partnerIn(logOfInvitation(row).state(), this.#deps.own);
  }

  /** Takes invitations of people on our list; what cannot be reached now is tried again with the next connection. */
  takeInvitations(): void {
    const { storage, spawn } = this.#deps;
    for (const { id } of storage.invitations.list('open').filter((row) => this.isTaken(row))) {
      spawn('join a sphere of two', (signal) => this.#turns.run(() => this.#take(id, signal)));
    }
  }

  async #take(id: string, signal: AbortSignal): Promise<void> {
    const { storage, members, onInvitation, log } = this.#deps;
    const row = storage.invitations.get(id);
    if (row?.state !== 'open' || !this.isTaken(row)) return;
    try {
      await members.join(id, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.info('a sphere of two is not joined yet', { error });
      if (errorCode(error) === 'disconnected' || errorCode(error) === 'timed-out') return;
      this.#refused.add(id);
      onInvitation(id);
    }
  }

  /** Everybody takes the oldest one that both can be in, also after two were made at the same time. */
  #current(jid: BareJid): Sphere | undefined {
    const usable = this.all(jid).filter(({ row, role, state }) => {
      if (row.state !== 'joined' || role === undefined) return false;
      const isThere = ['joined', 'invited'].includes(state.members.get(jid)?.state ?? '');
      return isThere || role === 'owner';
    });
    return usable.sort((a, b) => foundedAtMs(a) - foundedAtMs(b) || (a.id < b.id ? -1 : 1))[0];
  }

  async #joinTheirs(jid: BareJid, signal: AbortSignal): Promise<Sphere | undefined> {
    const { storage, members } = this.#deps;
    const open = storage.invitations.list('open').find((row) => row.from === jid && this.partnerOf(row) === jid);
    return open === undefined ? undefined : await members.join(open.id, signal);
  }

  async #found(partner: BareJid, signal: AbortSignal): Promise<Sphere> {
    const { members, own, nameOf } = this.#deps;
    const name = `${nameOf(own)} & ${nameOf(partner)}`.slice(0, MAX_NAME).toWellFormed();
    return await members.found({ name, history: 'all', partner }, signal);
  }
}

function foundedAtMs({ state }: Sphere): number {
  return state.genesis?.pair?.wallMs ?? 0;
}
