import { backoffDelay } from '../base/backoff.ts';
import { Breather } from '../base/breather.ts';
import type { Clock } from '../base/clock.ts';
import type { BareJid, DeviceKey, EventId, ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Asked } from './asked.ts';
import { byTurn, mayAskAgain, NEVER_ASKED } from './asked.ts';
import { INLINE_METAINFO_BYTES } from './announcement.ts';
import type { SphereChange } from './effects.ts';
import type { EphemeralChannel } from './ephemeral-channel.ts';
import type { History } from './history.ts';
import { historyFor } from './history.ts';
import { lackingTexts } from './lacking-texts.ts';
import { MAX_WANTED, mostWanted } from './most-wanted.ts';
import type { ItemEvent } from './protocol/event.ts';
import { isLongText } from './protocol/long-text.ts';
import type { Sphere } from './sphere.ts';

interface AskForKeysDeps {
  readonly storage: Storage;
  readonly channel: Pick<EphemeralChannel, 'say'>;
  /** Whether everything that the room's archive holds has been read. */
  readonly isCaughtUp: (room: BareJid) => boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Of one sphere. Moments are of the monotonic clock. */
interface Round {
  /** When all items are looked at next, and when somebody is asked next; Infinity while there is no reason to. */
  lookAtMs: number;
  askAtMs: number;
  lacking: readonly EventId[];
  readonly asked: Map<DeviceKey, Asked>;
}

/** What is lacking may be on its way, or be the rest of an answer. */
const SETTLE_MS = 5_000;
const ANSWER_MS = 15_000;
/** Whoever was asked so lately is not asked again because they come. */
const MEETING_MS = 600_000;
const REASK = { baseMs: 60_000, maxMs: 6 * 3_600_000 };
/** Asked in vain so often, for all that is lacking, nobody is asked any more before they come again: it may be lost to all. */
const MOST_ASKED = 12;
/** Of each sphere: items that nobody has the key of, be they ever so many, make nobody talk without end. */
const ASKED = { burst: 16, intervalMs: 60_000 };
const LOOKED_AT: readonly SphereChange['kind'][] = ['item', 'item-deletion', 'item-replaced', 'epochs', 'picture'];

/**
 * Comparing logs shows which events are lacking, not what belongs beside one that is here. Where the key or the list of
 * files of an item in force is not here, or only a made-up one, the members are asked for its event once more; where the
 * key of its epoch is not, for the event of that; and where words of a long text or the picture of the sphere are not,
 * for the event with these.
 */
export class AskForKeys {
  readonly #deps: AskForKeysDeps;
  readonly #breather: Breather;
  readonly #asking: RateLimit;
  readonly #rounds = new Map<SphereId, Round>();
  /** Items of which everything is here: it is looked at once, there may be thousands. */
  readonly #whole = new Set<EventId>();

  constructor(deps: AskForKeysDeps) {
    this.#deps = deps;
    this.#breather = new Breather(deps);
    this.#asking = new RateLimit({ ...deps, ...ASKED });
  }

  /** Whether there is something to look at because of it. */
  changed(sphere: Sphere, changes: readonly SphereChange[]): boolean {
    const isOfText = (change: SphereChange): boolean =>
      change.kind === 'message' && isLongText(sphere.log.get(change.id));
    if (!changes.some((change) => LOOKED_AT.includes(change.kind) || isOfText(change))) return false;
    // What belongs to a deleted item is forgotten one day, and it may be put back.
    for (const change of changes) {
      if (change.kind === 'item-deletion') this.#whole.delete(change.id as string as EventId);
    }
    const round = this.#round(sphere);
    round.lookAtMs = Math.min(round.lookAtMs, this.#now + SETTLE_MS);
    return true;
  }

  /** Somebody came by these accounts; null = we did. Who was asked in vain may just not have been there. */
  meet(sphere: Sphere, accounts: ReadonlySet<BareJid> | null): void {
    const round = this.#round(sphere);
    for (const [device, asked] of round.asked) {
      const jid = sphere.state.devices.get(device)?.jid ?? null;
      if (accounts !== null && (jid === null || !accounts.has(jid))) continue;
      // Or was, and has no key to give: whoever comes and goes is not asked each time.
      const notBeforeMs = Math.min(asked.notBeforeMs, asked.atMs + MEETING_MS);
      round.asked.set(device, { ...asked, attempts: Math.min(asked.attempts, mostAsked(round) - 1), notBeforeMs });
    }
    round.lookAtMs = Math.min(round.lookAtMs, this.#now + SETTLE_MS);
    this.#askSoon(round);
  }

  /** Somebody spoke who had not before. */
  heard(sphere: Sphere): void {
    this.#askSoon(this.#round(sphere));
  }

  /** Asks one of `devices`, if that is due; when there is something to do again. */
  async pass(sphere: Sphere, devices: Iterable<DeviceKey>): Promise<number> {
    const round = this.#round(sphere);
    if (round.lookAtMs <= this.#now) {
      round.lookAtMs = Infinity;
      if (this.#deps.isCaughtUp(sphere.row.room)) await this.#look(sphere, round);
    }
    if (round.askAtMs <= this.#now) await this.#ask(sphere, round, devices);
    return Math.min(round.lookAtMs, round.askAtMs);
  }

  get #now(): number {
    return this.#deps.clock.monotonic();
  }

  #round(sphere: Sphere): Round {
    const known = this.#rounds.get(sphere.id);
    if (known !== undefined) return known;
    const round: Round = { lookAtMs: Infinity, askAtMs: Infinity, lacking: [], asked: new Map() };
    this.#rounds.set(sphere.id, round);
    return round;
  }

  #askSoon(round: Round): void {
    if (round.lacking.length > 0) round.askAtMs = Math.min(round.askAtMs, this.#now + SETTLE_MS);
  }

  async #look(sphere: Sphere, round: Round): Promise<void> {
    const found = new Set<EventId>();
    const history = historyFor(sphere, sphere.person);
    for (const { event, replacedBy } of sphere.state.items.values()) {
      if (replacedBy !== null || this.#whole.has(event.id) || !history.isOpen(event)) continue;
      if (this.#isLacking(sphere, event)) found.add(event.id);
      if (isEpochLacking(sphere, history, event.body.epoch) && this.#isOnList(event)) found.add(event.body.epoch);
      await this.#breather.breathe();
    }
    for (const id of lackingBeside(sphere, this.#deps.storage)) found.add(id);
    const lacking = [...found];
    const known = new Set(round.lacking);
    round.lacking = lacking;
    if (lacking.length === 0) round.askAtMs = Infinity;
    if (lacking.every((id) => known.has(id))) return;
    mayAskAgain(round.asked);
    this.#askSoon(round);
  }

  async #ask(sphere: Sphere, round: Round, devices: Iterable<DeviceKey>): Promise<void> {
    const before = round.lacking.length;
    const lacking: EventId[] = [];
    const beside = new Set(lackingBeside(sphere, this.#deps.storage));
    for (const id of round.lacking) {
      const item = sphere.state.items.get(id as string as ItemId);
      const isItemLacking = item?.replacedBy === null && this.#isLacking(sphere, item.event);
      const isEpoch = sphere.log.get(id)?.type === 'epoch';
      if (beside.has(id) || isItemLacking || (isEpoch && sphere.opening(id) === undefined)) lacking.push(id);
      await this.#breather.breathe();
    }
    round.lacking = lacking;
    // Who gave some of it may have more.
    if (round.lacking.length < before) mayAskAgain(round.asked);
    const next = whom(sphere, round, devices);
    if (round.lacking.length === 0 || next === undefined || next.notBeforeMs > this.#now) {
      round.askAtMs = round.lacking.length === 0 ? Infinity : (next?.notBeforeMs ?? Infinity);
      return;
    }
    round.askAtMs = this.#now + ANSWER_MS;
    if (!this.#asking.take(sphere.id)) {
      round.askAtMs = this.#now + ASKED.intervalMs;
      return;
    }
    const { device, attempts } = next;
    const { random, channel, log } = this.#deps;
    const notBeforeMs = this.#now + backoffDelay(attempts, REASK, () => randomFraction(random));
    round.asked.set(device, { attempts: attempts + 1, notBeforeMs, atMs: this.#now });
    const { ids } = mostWanted({ ranges: [], ids: round.lacking }, () => true, attempts);
    log.info('keys asked for', { sphereId: sphere.id, ids: ids.length });
    await channel.say(sphere, 'want', { to: device, ranges: [], ids });
  }

  #isLacking(sphere: Sphere, event: ItemEvent): boolean {
    const { attachments } = this.#deps.storage;
    const has = (kind: string): boolean => attachments.has(event.id, kind);
    const { plain, epoch } = event.body;
    const isListLacking =
      event.type === 'torrent'
        ? event.body.metainfoBytes <= INLINE_METAINFO_BYTES && !has('metainfo')
        : event.body.manifest.offset === null && !has('manifest');
    const isSecret = event.type === 'item' && !plain && epoch !== null;
    // Without the epoch's key nobody can tell; that is asked for by itself.
    const isUnclear = isSecret && sphere.opening(epoch) === undefined;
    const isKeyLacking = isSecret && !isUnclear && sphere.mediaKeyCopies(event).open() === undefined;
    if (!isListLacking && !isKeyLacking) {
      if (!isUnclear) this.#whole.add(event.id);
      return false;
    }
    return this.#isOnList(event);
  }

  #isOnList({ id }: ItemEvent): boolean {
    const row = this.#deps.storage.items.get(id as string as ItemId);
    return row !== undefined && isOnList(row);
  }
}

/** Events that are here without what belongs beside them, other than those of items and keys. */
function lackingBeside(sphere: Sphere, storage: Storage): readonly EventId[] {
  const { picture } = sphere.log;
  const isPictureLacking = picture !== null && !storage.attachments.has(picture.id, 'picture');
  return [...lackingTexts(sphere, storage), ...(isPictureLacking ? [picture.id] : [])];
}

/** The key of the current epoch is asked for in another way. */
function isEpochLacking(sphere: Sphere, history: History, epoch: EventId | null): epoch is EventId {
  if (epoch === null || epoch === sphere.state.currentEpoch?.id || sphere.opening(epoch) !== undefined) return false;
  const event = sphere.log.get(epoch);
  return event !== undefined && history.isEpochOpen(event);
}

function whom(
  sphere: Sphere,
  round: Round,
  devices: Iterable<DeviceKey>,
): (Asked & { readonly device: DeviceKey }) | undefined {
  const others = [...devices].filter((device) => device !== sphere.device && sphere.state.devices.has(device));
  const known = others.map((device) => ({ device, ...(round.asked.get(device) ?? NEVER_ASKED) }));
  return known.filter(({ attempts }) => attempts < mostAsked(round)).toSorted(byTurn)[0];
}

/** Each attempt names only so many. */
function mostAsked({ lacking }: Round): number {
  return MOST_ASKED + Math.ceil(lacking.length / MAX_WANTED);
}
