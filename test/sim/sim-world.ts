import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import type { BareJid } from '../../src/base/id.ts';
import { parseBareJid } from '../../src/base/id.ts';
import type { LogEntry } from '../../src/base/log.ts';
import { createLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { changeAccount } from '../../src/engine/change-account.ts';
import { becomePerson, recoveryKeyOf } from '../../src/engine/own-identity.ts';
import { loadSignal } from '../../src/omemo/signal.ts';
import { Comeback } from '../../src/spheres/comeback.ts';
import type { RecoveryKit } from '../../src/spheres/protocol/recovery-kit.ts';
import { kitLines, readKit } from '../../src/spheres/protocol/recovery-kit.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import type { ContactRow } from '../../src/storage/contact-table.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { beginDevice } from '../fixtures/begun-device.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { StorageFolder } from '../fixtures/storage.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';
import { SimSession } from './sim-person.ts';
import { SimServer } from './sim-server.ts';
import { WorkUnderWay } from './work-under-way.ts';

export const noSignal = new AbortController().signal;
/** What follows from something by promises alone has followed within one. */
const CALM_TURNS = 4;
const library = loadSignal({ random: systemRandom });

/** Somebody on one's list. */
export const CONTACT: Omit<ContactRow, 'jid'> = {
  ...{ standing: 'contact', name: null, nick: null, subscription: 'both', asked: false, wants: false },
  ...{ avatar: null, sinceMs: 0, readPosition: 0, toldPosition: 0, tells: false },
};

/** One person over crashes and restarts of their program. */
export class SimPerson {
  readonly name: string;
  readonly folder = new StorageFolder();
  readonly #world: SimWorld;
  #session: SimSession | null = null;
  #movedTo: BareJid | null = null;

  readonly #prepare: (storage: Storage) => void;

  /** `prepare` sees the database before the program does. */
  constructor(world: SimWorld, name: string, prepare: (storage: Storage) => void = () => undefined) {
    this.#world = world;
    this.name = name;
    this.#prepare = prepare;
  }

  /** The account that they are at, unless they have moved. */
  get jid() {
    return this.#movedTo ?? parseBareJid(`${this.name}@home.sim`);
  }

  get session(): SimSession {
    if (this.#session === null) throw new Error(`${this.name} is not there`);
    return this.#session;
  }

  get isRunning(): boolean {
    return this.#session !== null;
  }

  /** Starts the program and goes online. */
  async start(): Promise<SimSession> {
    const { server, clock, log, people } = this.#world;
    const prepare = (storage: Storage): void => {
      this.#prepare(storage);
      beginDevice(storage.omemo, people.indexOf(this), clock.now(), systemRandom);
    };
    const rest = { server, clock, log: log.child(this.name), signal: await library, prepare };
    this.#session = await SimSession.open({ ...rest, jid: this.jid, folder: this.folder });
    await this.#session.goOnline();
    return this.#session;
  }

  /** The program ends wherever it is; what it had not kept is lost. */
  async stop(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.[Symbol.asyncDispose]();
  }

  /** Goes on under another account. `isLost`: the server of the one before is gone, and with it all that is said there. */
  async moveTo(jid: BareJid, isLost = false): Promise<void> {
    const { session, jid: from } = this;
    if (isLost) session.link.goOffline();
    await session.move.say(jid, noSignal);
    await this.stop();
    const storage = openStorage(this.folder.deps());
    changeAccount(storage, from, { jid, password: 'secret', server: null, ca: null });
    storage[Symbol.dispose]();
    this.#movedTo = jid;
    await this.start();
  }

  kit(): RecoveryKit {
    const { storage, identity, own: jid } = this.session;
    return { jid, server: null, person: identity.person, recoveryKey: recoveryKeyOf(storage.identity, systemRandom) };
  }

  /** Shares a file of this content; its item. */
  async share(name: string, content = name, sphere = this.session.sphere()) {
    const path = join(this.folder.folder, name);
    await writeFile(path, content);
    const { shares } = this.session;
    const input = { sphereId: sphere.id, paths: [path], plain: false };
    const [itemId] = await shares.share(input, noSignal);
    if (itemId === undefined) throw new Error('nothing was shared');
    return itemId;
  }
}

/** People around one server in memory, on a clock that the test moves. Choices by chance follow the seed. */
export class SimWorld {
  readonly clock = new VirtualClock();
  readonly server = new SimServer({ nowMs: () => this.clock.now() });
  readonly people: SimPerson[] = [];
  readonly entries: LogEntry[] = [];
  readonly log = createLogger({ clock: this.clock, sink: (entry) => this.entries.push(entry) });
  readonly seed: number;
  readonly #work = new WorkUnderWay();
  #state: number;

  constructor(seed = Number(process.env['SIM_SEED'] ?? Math.floor(Math.random() * 2 ** 31))) {
    this.seed = seed;
    this.#state = seed;
    onTestFailed(() => {
      const wrong = this.entries.filter(({ level }) => level === 'warn' || level === 'error');
      console.error(`SIM_SEED=${seed}`, ...wrong.slice(-20).map((entry) => `\n${JSON.stringify(entry)}`));
    });
    onTestFinished(async () => {
      for (const person of this.people) {
        await person.stop();
        person.folder[Symbol.dispose]();
      }
      this.#work.forget();
    });
  }

  async person(name: string, prepare?: (storage: Storage) => void): Promise<SimPerson> {
    const person = new SimPerson(this, name, prepare);
    this.people.push(person);
    await person.start();
    return person;
  }

  /** A further computer of a person, to which they come with their recovery kit. */
  another(person: SimPerson): Promise<SimPerson> {
    return this.comeBack(person.name, person.kit());
  }

  /** `knows` = who is on the list of contacts that the server keeps. */
  async comeBack(
    name: string,
    kit: RecoveryKit,
    { knows = [], endsOthers = false }: { knows?: readonly BareJid[]; endsOthers?: boolean } = {},
  ): Promise<SimPerson> {
    const read = readKit(kitLines(kit).join(' '));
    return await this.person(name, (storage) => {
      if (!becomePerson(storage, read, systemRandom)) return;
      Comeback.note(storage, { sinceMs: this.clock.now(), endsOthers });
      for (const jid of knows) storage.contacts.put({ ...CONTACT, jid });
    });
  }

  /** A sphere of the first with all others in it. */
  async sphere(owner: SimPerson, ...others: SimPerson[]): Promise<Sphere> {
    const sphere = await owner.session.members.create('Summer', noSignal);
    for (const other of others) await this.bringIn(owner, other);
    await this.quiet();
    return sphere;
  }

  async bringIn(owner: SimPerson, other: SimPerson): Promise<void> {
    await owner.session.members.invite(owner.session.sphere().id, other.jid, noSignal);
    await this.quiet();
    await this.accept(other);
  }

  /** Takes the newest open invitation. */
  async accept(person: SimPerson): Promise<void> {
    const invitation = person.session.storage.invitations.list('open').at(-1);
    if (invitation === undefined) throw new Error(`${person.name} is not invited`);
    await person.session.members.join(invitation.id, noSignal);
    await this.quiet();
  }

  /** Resolves when nobody has anything to do any more, without time passing. */
  async quiet(): Promise<void> {
    for (let calm = 0; calm < CALM_TURNS;) {
      await this.#work.next();
      calm = this.#work.isAny || this.#isBusy() ? 0 : calm + 1;
    }
  }

  /** Lets time pass, then waits until everything that followed has happened. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.quiet();
  }

  /**
   * Lets time pass until something is so. Disks and threads take real time, of which a busy machine needs more: the
   * virtual half hour must not be over before they have had a chance.
   */
  async until(isSo: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    for (let tries = 0; !isSo() && (tries < 60 || performance.now() < deadlineMs); tries += 1) await this.pass(30_000);
    if (!isSo()) throw new Error(`it never came to that: ${isSo}`);
  }

  /** A number in [0, below), the same for the same seed. */
  chance(below: number): number {
    // A linear congruential generator: good enough to shuffle with, and short.
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  shuffled<T>(values: readonly T[]): T[] {
    const left = [...values];
    return values.flatMap(() => left.splice(this.chance(left.length), 1));
  }

  #isBusy(): boolean {
    return this.people.some((person) => {
      if (!person.isRunning) return false;
      return person.session.inHand > 0 || person.session.canSend;
    });
  }
}
