import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { Storage } from '../storage/storage.ts';
import type { Asked } from './asked.ts';
import { askedFor, byTurn, mayAskAgain, mayAskSoon } from './asked.ts';
import type { EphemeralChannel, Speaker } from './ephemeral-channel.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import { isAhead } from './protocol/gaps.ts';
import type { Missing } from './protocol/sphere-log.ts';
import { AskForKeys } from './ask-for-keys.ts';
import { CertifyAgain } from './certify-again.ts';
import type { SphereChange } from './effects.ts';
import { headsMessages } from './heads-messages.ts';
import type { PackExchange } from './history-packs.ts';
import { isAnyMissing } from './is-any-missing.ts';
import { mostWanted } from './most-wanted.ts';
import type { Lack } from './lack-of.ts';
import { lackOf } from './lack-of.ts';
import { LogAnswers } from './log-answers.ts';
import type { ServerHabits } from './server-habits.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { ToldHeads } from './told-heads.ts';
import type { Withheld } from './withheld.ts';

interface LogExchangeDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  readonly packs: PackExchange;
  readonly withheld: Withheld;
  readonly habits: ServerHabits;
  /** Whether everything that the room's archive holds has been read. */
  readonly isCaughtUp: (room: BareJid) => boolean;
  /** Reads the room's archive once more from this entry on, for as long as it is wanted. */
  readonly readBack: (room: BareJid, after: string, isWanted: () => boolean) => Promise<void>;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Where the comparing of one sphere's log stands. Moments are of the monotonic clock. */
interface Round {
  /** When our heads are told next, whatever others say. */
  tellAtMs: number;
  /** When they are told as an answer, unless somebody else gives it first; Infinity while nobody needs one. */
  answerAtMs: number;
  /** How often they were told in vain while something is missing. */
  tells: number;
  /** When somebody is asked next; Infinity while nothing is known to be missing. */
  askAtMs: number;
  /** When somebody came last, we ourselves included. */
  metAtMs: number;
  /** How many events the log had when last looked at, and how many devices it knew. */
  size: number;
  devices: number;
  readonly told: ToldHeads;
  readonly asked: Map<DeviceKey, Asked>;
  /** Who lacked something, as they told last. */
  readonly lacking: Set<DeviceKey>;
}

/** A device to ask, and what for. */
interface Candidate extends Asked {
  readonly device: DeviceKey;
  readonly missing: Missing;
}

const DAY_MS = 24 * 3_600_000;
/** Whoever meets waits for what is on its way; and of many who could answer the first one does. */
const MEETING_MS = 3_000;
/** After something new: a last message that the server hid from somebody is noticed then. */
const GROWTH = { baseMs: 120_000, maxMs: 120_000 };
/** While something is missing that nobody gave yet. */
const RETELL = { baseMs: 30_000, maxMs: 3_600_000 };
/** An answer takes several messages; asking again meanwhile would bring everything twice. */
const ANSWER_MS = 15_000;
const REST_MS = 2_000;
const READING_MS = 60_000;
/** Whoever said something so lately is asked too, though they told of nothing. */
const PRESENT_MS = 600_000;
const REASK = { baseMs: 15_000, maxMs: 6 * 3_600_000 };
/** Of each device: whoever chatters does not make us compare without end. */
const HEARD = { burst: 32, intervalMs: 2_000 };
/** Of each sphere: those who cannot come to the same, whatever the reason, do not keep each other busy. */
const TOLD = { burst: 32, intervalMs: 30_000 };
const READ_BACK = { burst: 2, intervalMs: 600_000 };

/**
 * Compares logs with the devices that are present: each tells its heads, whoever lacks something asks for it, and gets it
 * alone, as it was signed. So nothing depends on the server's having delivered or kept it.
 */
export class LogExchange {
  /** Everybody who is there has had the time to tell what they have. */
  readonly onGathered: Emitter<Sphere>;
  /** What the server kept from us of what the others gave. */
  readonly withheld: Withheld;
  readonly habits: ServerHabits;
  readonly #deps: LogExchangeDeps;
  readonly #rounds = new Map<SphereId, Round>();
  /** When who said anything last. */
  readonly #presentMs = new Map<DeviceKey, number>();
  readonly #hearing: RateLimit;
  readonly #readingBack: RateLimit;
  readonly #telling: RateLimit;
  readonly #certifying: CertifyAgain;
  readonly #keys: AskForKeys;
  readonly #work: RecurringWork;

  constructor(deps: LogExchangeDeps) {
    this.#deps = deps;
    this.withheld = deps.withheld;
    this.habits = deps.habits;
    this.onGathered = new Emitter((error) => deps.log.error('listener of the logs failed', { error }));
    this.#work = new RecurringWork({ ...deps, pass: () => this.#pass(), retryMs: REST_MS });
    this.#hearing = new RateLimit({ ...deps, ...HEARD });
    this.#readingBack = new RateLimit({ ...deps, ...READ_BACK });
    this.#telling = new RateLimit({ ...deps, ...TOLD });
    this.#certifying = new CertifyAgain(deps);
    this.#keys = new AskForKeys(deps);
    deps.channel.onHeard.on((device) => void this.#presentMs.set(device, this.#now));
    deps.channel.on('heads', (from, body) => this.#hear(from, body));
    const answers = new LogAnswers(deps);
    deps.channel.on('want', (from, body) => answers.answer(from, body));
  }

  /** Somebody came by these accounts; null = we did. */
  arrived(sphere: Sphere, accounts: ReadonlySet<BareJid> | null): void {
    this.#round(sphere).told.came(accounts);
    this.meet(sphere, accounts);
  }

  /** The room's archive has been read: what was told meanwhile is heard after it. */
  caughtUp(sphere: Sphere): void {
    this.#round(sphere).told.gather();
    this.meet(sphere);
  }

  /** Somebody said what cannot be read; `isEvent`: something of the sphere, which others may have. */
  unread(sphere: Sphere, isEvent: boolean): void {
    if (isEvent) this.#round(sphere).told.unread();
    this.meet(sphere);
  }

  /** There may be somebody, by these accounts or by any, who has other events than we. */
  meet(sphere: Sphere, accounts: ReadonlySet<BareJid> | null = null): void {
    const round = this.#round(sphere);
    round.metAtMs = this.#now;
    // Who was asked in vain may just not have been there.
    const jidOf = (device: DeviceKey): BareJid | null => sphere.state.devices.get(device)?.jid ?? null;
    mayAskAgain(round.asked, (device) => accounts === null || accounts.has(jidOf(device) as BareJid));
    this.#keys.meet(sphere, accounts);
    round.tellAtMs = Math.min(round.tellAtMs, this.#soon());
    this.#work.wake();
  }

  /** The log may have grown. */
  changed(sphere: Sphere, changes: readonly SphereChange[]): void {
    const round = this.#round(sphere);
    if (this.#keys.changed(sphere, changes)) this.#work.wake();
    if (sphere.log.size === round.size) return;
    round.size = sphere.log.size;
    round.tells = 0;
    const missingBy = round.told.missingBy(sphere);
    // Who did not give what is missing has it no more than before because of something else that came.
    mayAskAgain(round.asked, (device, { what }) => what !== JSON.stringify(missingBy(device)));
    // What is missing now may be on its way, or be the rest of an answer.
    if (this.#whom(sphere, round, missingBy) !== undefined) round.askAtMs = this.#now + REST_MS;
    const isMissing = isAnyMissing(sphere.log.missing());
    if (isMissing) void this.#readBack(sphere);
    const delayMs = backoffDelay(0, isMissing ? RETELL : GROWTH, this.#fraction);
    // Two devices that came at the same time are unknown to each other: what either says, the other cannot read.
    const hasNewDevice = sphere.state.devices.size > round.devices;
    round.devices = sphere.state.devices.size;
    round.tellAtMs = Math.min(round.tellAtMs, hasNewDevice ? this.#soon() : this.#now + delayMs);
    this.#work.wake();
  }

  /** Whether nobody is known to have something that we could get now. */
  isSettled(sphere: Sphere): boolean {
    return this.#round(sphere).askAtMs > this.#now + ANSWER_MS;
  }

  /** Whether everybody who is there has had the time to tell what they have: the first one may have the least. */
  isGathered(sphere: Sphere): boolean {
    return this.#round(sphere).told.isGathered;
  }

  /** Whether everything is here that anybody told of, and somebody is there (other than `butFor`). */
  isComplete(sphere: Sphere, butFor?: ReadonlySet<DeviceKey>): boolean {
    return this.#isAnybodyHeard(sphere, butFor) && this.#round(sphere).told.isHere(sphere);
  }

  /**
   * Whether somebody is there (other than `butFor`), and nobody has more to give now: what is missing nevertheless was
   * asked for in vain. Who leaves a gap, or makes one up, must not have us wait for ever.
   */
  isExhausted(sphere: Sphere, butFor?: ReadonlySet<DeviceKey>): boolean {
    return this.#isAnybodyHeard(sphere, butFor) && this.isSettled(sphere);
  }

  /** What is not here by all that was ever told; those that are ended count as one. */
  lackOf(sphere: Sphere, ending: ReadonlySet<DeviceKey>): Lack {
    return lackOf(sphere, this.#round(sphere).told.all, ending);
  }

  #isAnybodyHeard(sphere: Sphere, butFor?: ReadonlySet<DeviceKey>): boolean {
    const { told } = this.#round(sphere);
    return told.isGathered && told.isAnybodyThere(sphere, butFor) && this.#deps.isCaughtUp(sphere.row.room);
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  async #pass(): Promise<number> {
    let nextMs = this.#now + DAY_MS;
    for (const sphere of this.#deps.list.all()) {
      if (sphere.row.state !== 'joined') continue;
      const round = this.#round(sphere);
      if (round.askAtMs <= this.#now) await this.#ask(sphere, round);
      if (Math.min(round.tellAtMs, round.answerAtMs) <= this.#now) await this.#tell(sphere, round);
      const keysMs = await this.#keys.pass(sphere, this.#speakers(round));
      const gatheredMs = round.told.announce(() => this.onGathered.emit(sphere));
      const dueMs = Math.min(round.askAtMs, round.tellAtMs, round.answerAtMs, gatheredMs);
      nextMs = Math.min(nextMs, dueMs, keysMs, this.#certifying.pass(sphere));
    }
    return Math.max(50, nextMs - this.#now);
  }

  get #now(): number {
    return this.#deps.clock.monotonic();
  }

  readonly #fraction = (): number => randomFraction(this.#deps.random);

  #round(sphere: Sphere): Round {
    const known = this.#rounds.get(sphere.id);
    if (known !== undefined) return known;
    const round: Round = {
      tellAtMs: this.#now + DAY_MS,
      answerAtMs: Infinity,
      tells: 0,
      askAtMs: Infinity,
      metAtMs: this.#now,
      size: sphere.log.size,
      devices: sphere.state.devices.size,
      told: new ToldHeads(this.#deps.clock),
      asked: new Map(),
      lacking: new Set(),
    };
    this.#rounds.set(sphere.id, round);
    return round;
  }

  #soon(): number {
    return this.#now + this.#fraction() * MEETING_MS;
  }

  async #tell(sphere: Sphere, round: Round): Promise<void> {
    const isAnswer = round.tellAtMs > this.#now;
    round.answerAtMs = Infinity;
    if (!this.#telling.take(sphere.id)) {
      const laterMs = this.#now + TOLD.intervalMs;
      if (isAnswer) round.answerAtMs = laterMs;
      else round.tellAtMs = laterMs;
      return;
    }
    const isMissing = this.#isLacking(sphere, round);
    const againMs = isMissing ? backoffDelay(round.tells, RETELL, this.#fraction) : DAY_MS;
    round.tells += 1;
    round.tellAtMs = this.#now + againMs;
    const isAsking = !isAnswer && (isMissing || !round.told.isAnybodyThere(sphere));
    for (const part of headsMessages(sphere.log.tips()))
      await this.#deps.channel.say(sphere, 'heads', isAsking ? { ...part, isAsking } : part);
  }

  #hear({ sphere, device }: Speaker, body: EphemeralBodies['heads']): void {
    const { heads } = body;
    // Without heads it says only that a key is lacking.
    if (heads.length === 0 || !this.#hearing.take(`${sphere.id} ${device}`)) return;
    const round = this.#round(sphere);
    const isCovered = ({ device: of }: { readonly device: DeviceKey }): boolean =>
      (body.after === undefined || of > body.after) && (body.until === undefined || of <= body.until);
    const isNewToUs = !round.told.all.has(device);
    round.told.note(device, body);
    if (body.isAsking === true) round.lacking.add(device);
    else if (round.lacking.delete(device)) mayAskSoon(round.asked, device);
    if (isNewToUs) this.#keys.heard(sphere);
    const isKnown = heads.some((tip) => tip.device === sphere.device);
    if (isCovered(sphere)) this.#certifying.heard({ sphere, device }, isKnown);
    // A gap does not show in what is told. What answers asks nothing, or it would be answered without end.
    if (isNewToUs || body.isAsking === true || isAhead(sphere.log.tips().filter(isCovered), heads))
      round.answerAtMs = Math.min(round.answerAtMs, this.#soon());
    // Everybody has just heard what we would say. Who lacks something says so all the same, each time that it is due.
    else if (body.after === undefined && body.until === undefined) {
      round.answerAtMs = Infinity;
      if (!this.#isLacking(sphere, round)) round.tellAtMs = this.#now + DAY_MS;
    }
    if (isAnyMissing(sphere.log.missing(heads)) && this.isSettled(sphere))
      round.askAtMs = this.#now + this.#fraction() * REST_MS;
    this.#work.wake();
  }

  /** What was hidden from us live may stand in the archive: from the last entry before the event in front of the gap. */
  async #readBack(sphere: Sphere): Promise<void> {
    const { storage, isCaughtUp, readBack, log } = this.#deps;
    const { room } = sphere.row;
    const [gap] = mostWanted(sphere.log.missing(), (device) => sphere.state.devices.has(device), 0).ranges;
    if (gap === undefined || !isCaughtUp(room)) return;
    const before = { device: gap.device, from: gap.from - 1, to: gap.from - 1 };
    const [event] = sphere.log.select({ ranges: [before], ids: [] });
    const atMs = event === undefined ? undefined : storage.events.get(event.id)?.receivedAtMs;
    const after = atMs === undefined ? undefined : storage.seen.lastBefore(room, atMs);
    if (after === undefined || !this.#readingBack.take(sphere.id)) return;
    try {
      await readBack(room, after, () => isAnyMissing(sphere.log.missing()));
    } catch (error) {
      // Members are asked as well, and there is a next time.
      log.info('archive not read again', { error });
    }
  }

  /** Whether something is not here that must be somewhere, or that somebody told of. */
  #isLacking(sphere: Sphere, round: Round): boolean {
    return this.#whom(sphere, round) !== undefined || isAnyMissing(sphere.log.missing());
  }

  /** Who told of anything, or is present. */
  #speakers({ told }: Round): ReadonlySet<DeviceKey> {
    const sinceMs = this.#now - PRESENT_MS;
    const present = [...this.#presentMs].flatMap(([device, atMs]) => (atMs > sinceMs ? [device] : []));
    return new Set([...told.all.keys(), ...present]);
  }

  /** The device to ask next and what for; undefined when nobody has told of anything that is not here. */
  #whom(sphere: Sphere, round: Round, missingBy = round.told.missingBy(sphere)): Candidate | undefined {
    const candidates = [...this.#speakers(round)].flatMap((device): Candidate[] => {
      if (device === sphere.device || !sphere.state.devices.has(device)) return [];
      const missing = missingBy(device);
      const asked = askedFor(JSON.stringify(missing), round.asked.get(device));
      return isAnyMissing(missing) ? [{ device, missing, ...asked }] : [];
    });
    return candidates.toSorted(byTurn)[0];
  }

  async #ask(sphere: Sphere, round: Round): Promise<void> {
    const { packs, isCaughtUp } = this.#deps;
    // The archive may be about to give what is missing; one that does not end is not waited for.
    const isBeingRead = !isCaughtUp(sphere.row.room) && this.#now - round.metAtMs < READING_MS;
    if (isBeingRead || packs.isComing(sphere)) {
      round.askAtMs = this.#now + REST_MS;
      return;
    }
    const next = this.#whom(sphere, round);
    if (next === undefined || next.notBeforeMs > this.#now) {
      round.askAtMs = next?.notBeforeMs ?? Infinity;
      return;
    }
    const { device, missing, attempts } = next;
    const notBeforeMs = this.#now + backoffDelay(attempts, REASK, this.#fraction);
    round.asked.set(device, { attempts: attempts + 1, notBeforeMs, atMs: this.#now, what: JSON.stringify(missing) });
    round.askAtMs = this.#now + ANSWER_MS;
    // Who is asked may not give it: then the others are to hear that it is still lacking.
    const tellMs = backoffDelay(round.tells, RETELL, this.#fraction);
    round.tellAtMs = Math.min(round.tellAtMs, this.#now + tellMs);
    const { ranges, ids } = mostWanted(missing, (of) => sphere.state.devices.has(of), attempts);
    this.#deps.log.info('log asked for', { sphereId: sphere.id, ranges: ranges.length, ids: ids.length });
    const mayCome = packs.mayCome(sphere, device);
    if (mayCome) packs.asked(sphere, device);
    const want = { to: device, ranges, ids };
    await this.#deps.channel.say(sphere, 'want', mayCome ? { ...want, packs: true } : want);
  }
}
