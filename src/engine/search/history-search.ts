import type { Clock } from '../../base/clock.ts';
import type { BareJid, EventId, ItemId, SphereId } from '../../base/id.ts';
import type { Logger } from '../../base/log.ts';
import { RecurringWork } from '../../base/recurring-work.ts';
import { searchExcerpt, searchTerms } from '../../base/search-words.ts';
import type { FoundLineView, FoundView } from '../../contract/search.ts';
import { conversationIdOf } from '../../people/conversation-id.ts';
import type { People } from '../../people/people.ts';
import type { ItemService } from '../../spheres/item-service.ts';
import type { Sphere } from '../../spheres/sphere.ts';
import type { SphereList } from '../../spheres/sphere-list.ts';
import { partnerIn } from '../../spheres/partner-in.ts';
import type { ContactRow } from '../../storage/contact-table.ts';
import type { DirectMessageRow } from '../../storage/direct-message-table.ts';
import { isOnList } from '../../storage/item-table.ts';
import type { MessageRow } from '../../storage/message-table.ts';
import type { Storage } from '../../storage/storage.ts';
import { TextIndex } from '../../storage/text-index.ts';
import { viewDirectMessage } from '../people-view.ts';
import type { PeopleNames } from '../people-names.ts';
import { senderOf } from '../sender-of.ts';
import { ItemNames } from './item-names.ts';

interface HistorySearchDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly items: Pick<ItemService, 'onItem'>;
  readonly people: Pick<People, 'contacts' | 'talk'>;
  readonly own: BareJid;
  readonly names: Pick<PeopleNames, 'of'>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Wanted {
  readonly words: string;
  /** Only in this conversation. */
  readonly sphereId?: SphereId | undefined;
  readonly limit: number;
}

/** A conversation that is searched. */
type Place =
  | { readonly kind: 'sphere'; readonly sphere: Sphere }
  | { readonly kind: 'talk'; readonly contact: ContactRow };

/** Signing in comes first. */
const BEGIN_MS = 1_000;
/** So few, and none more after so long, that whoever waits for the engine meanwhile does not notice. */
const SLICE = 25;
const SLICE_MS = 15;
const MIN_PAUSE_MS = 4;
/** While much comes in, taking it in comes first; but nobody waits longer than a minute to find what was said. */
const CALM_MS = 500;
const PATIENCE_MS = 60_000;
const IDLE_MS = 3_600_000;
/** A search brings this many lines up to date by itself, for so long; what is more is told not to be read yet. */
const MAX_CAUGHT_UP = 200;
const MAX_CAUGHT_UP_MS = 100;

/**
 * Finds what was said and shared, in all spheres and talks. The words of all lines are read into memory little by little
 * after the start, newest first, and kept true by what changes. What is shown of a result is read from the database at
 * that moment: a line that was taken away meanwhile is not found, whatever the index still says.
 */
export class HistorySearch implements Disposable {
  readonly #deps: HistorySearchDeps;
  readonly #index = new TextIndex();
  readonly #names: ItemNames;
  readonly #work: RecurringWork;
  readonly #stops: readonly (() => void)[];
  /** Lines that are there or different since, or gone. */
  readonly #changed = new Map<EventId, 'line' | 'talk'>();
  /** When the first of them came, and the last. */
  #changing = { sinceMs: 0, lastMs: 0 };
  /** Items whose list of files was not here when they were read. */
  readonly #listless = new Set<ItemId>();
  /** Everything that arrived before these is still to be read; 0 = nothing. */
  #unread = { lines: Number.MAX_SAFE_INTEGER, talks: Number.MAX_SAFE_INTEGER };

  constructor(deps: HistorySearchDeps) {
    this.#deps = deps;
    this.#names = new ItemNames(deps);
    this.#work = new RecurringWork({ ...deps, pass: () => Promise.resolve(this.#pass()), retryMs: IDLE_MS });
    this.#stops = [
      deps.list.onChange.on(({ changes }) => {
        for (const change of changes) {
          if (change.kind === 'message' || change.kind === 'message-gone') this.#note(change.id, 'line');
        }
      }),
      deps.items.onItem.on((itemId) => {
        if (this.#listless.delete(itemId)) this.#note(itemId as string as EventId, 'line');
      }),
      deps.people.talk.onChange.on(({ id }) => this.#note(id, 'talk')),
    ];
    deps.spawn('read for the search', (signal) => this.#run(signal));
  }

  find({ words, sphereId, limit }: Wanted): FoundView {
    this.#catchUp(MAX_CAUGHT_UP, MAX_CAUGHT_UP_MS);
    const terms = searchTerms(words);
    const places = this.#places();
    const open = sphereId === undefined ? [...places.keys()] : [sphereId].filter((id) => places.has(id));
    const ids = this.#index.find({ terms, places: open, limit });
    const lines = ids.flatMap((id) => this.#viewLine(id, places, terms) ?? this.#viewTalk(id, places, terms) ?? []);
    return { lines, isWhole: this.#changed.size === 0 && this.#isRead };
  }

  /** Bytes of memory that the index takes. */
  get bytes(): number {
    return this.#index.bytes;
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
    this.#index[Symbol.dispose]();
  }

  get #isRead(): boolean {
    return this.#unread.lines === 0 && this.#unread.talks === 0;
  }

  async #run(signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(BEGIN_MS, signal);
    await this.#work.run(signal);
  }

  #note(id: EventId, kind: 'line' | 'talk'): void {
    const lastMs = this.#deps.clock.monotonic();
    const isFirst = this.#changed.size === 0;
    this.#changing = { sinceMs: isFirst ? lastMs : this.#changing.sinceMs, lastMs };
    this.#changed.set(id, kind);
    if (isFirst) this.#work.wake();
  }

  /** One slice; how long until the next one. */
  #pass(): number {
    const { clock } = this.#deps;
    const startMs = clock.monotonic();
    const { sinceMs, lastMs } = this.#changing;
    const busyMs = Math.min(lastMs + CALM_MS, sinceMs + PATIENCE_MS) - startMs;
    if (this.#changed.size > 0 && busyMs > 0) return busyMs;
    if (this.#changed.size > 0) this.#catchUp(SLICE, SLICE_MS);
    else this.#readBack();
    if (this.#changed.size === 0 && this.#isRead) return IDLE_MS;
    // Half of the time at most: others have work too.
    return Math.max(MIN_PAUSE_MS, clock.monotonic() - startMs);
  }

  #catchUp(limit: number, mostMs: number): void {
    if (this.#changed.size === 0) return;
    const { storage, clock } = this.#deps;
    const { messages, directMessages } = storage;
    const endMs = clock.monotonic() + mostMs;
    this.#index.together(() => {
      for (const [id, kind] of Array.from(this.#changed).slice(0, limit)) {
        const row = kind === 'line' ? messages.get(id) : undefined;
        const talk = kind === 'talk' ? directMessages.get(id) : undefined;
        if (row !== undefined) this.#putLine(row);
        else if (talk !== undefined) this.#putTalk(talk);
        else this.#index.remove(id);
        this.#changed.delete(id);
        if (clock.monotonic() >= endMs) break;
      }
    });
  }

  #readBack(): void {
    const { storage, clock } = this.#deps;
    const { messages, directMessages } = storage;
    const { lines, talks } = this.#unread;
    const rows = lines === 0 ? [] : messages.arrivedBefore(lines, SLICE);
    const said = talks === 0 ? [] : directMessages.arrivedBefore(talks, SLICE);
    const endMs = clock.monotonic() + SLICE_MS;
    /** The last one that was read. */
    const read = <Row>(some: readonly Row[], put: (row: Row) => void): Row | undefined => {
      for (const row of some) {
        put(row);
        if (clock.monotonic() >= endMs) return row;
      }
      return some.at(-1);
    };
    this.#index.together(() => {
      const line = read(rows, (row) => this.#putLine(row));
      const talk = read(said, (row) => this.#putTalk(row));
      this.#unread = { lines: line?.order ?? 0, talks: talk?.position ?? 0 };
    });
  }

  #putLine(row: MessageRow): void {
    const { id, sphereId: place, atMs, order } = row;
    this.#index.put({ id, place, atMs: this.#past(atMs), order, text: this.#textOf(row) ?? '' });
  }

  #putTalk({ id, peer, atMs, text, state, position: order }: DirectMessageRow): void {
    const place = conversationIdOf(peer);
    this.#index.put({ id, place, atMs: this.#past(atMs), order, text: isReadable(state) ? text : '' });
  }

  /** A clock that is ahead must not put its lines above all others for ever. */
  #past(atMs: number): number {
    return Math.min(atMs, this.#deps.clock.now());
  }

  /** By what a line is found: what was said, or the names of what was shared; of those the ones with `terms` alone. */
  #textOf({ kind, text, itemId, sphereId, state }: MessageRow, terms?: readonly string[]): string | undefined {
    if (!isReadable(state) || kind === 'notice') return undefined;
    if (kind === 'text') return text;
    const event = itemId === null ? undefined : this.#deps.list.find(sphereId)?.state.items.get(itemId)?.event;
    if (event === undefined || itemId === null) return undefined;
    if (terms !== undefined) return this.#names.found(event, terms);
    if (this.#names.files(event) === undefined) this.#listless.add(itemId);
    return this.#names.all(event);
  }

  /** Neither spheres that ended, nor people who are shut out or wait for an answer. */
  #places(): ReadonlyMap<SphereId, Place> {
    const { list, people, storage } = this.#deps;
    const blocked = new Set(storage.blocked.list());
    const spheres = list
      .all()
      .filter(({ row }) => row.state !== 'left' && row.state !== 'removed' && !row.hidden)
      .map((sphere) => [sphere.id, { kind: 'sphere' as const, sphere }] as const);
    const talks = people.contacts
      .list()
      .filter(({ jid, standing }) => standing !== 'request' && !blocked.has(jid))
      .map((contact) => [conversationIdOf(contact.jid), { kind: 'talk' as const, contact }] as const);
    return new Map<SphereId, Place>([...spheres, ...talks]);
  }

  #viewLine(id: EventId, places: ReadonlyMap<SphereId, Place>, terms: readonly string[]): FoundLineView | undefined {
    const { storage, own, names } = this.#deps;
    const row = storage.messages.get(id);
    const place = row === undefined ? undefined : places.get(row.sphereId);
    if (row === undefined || place?.kind !== 'sphere') return undefined;
    const { itemId, sphereId, atMs } = row;
    const from = senderOf(place.sphere, row);
    // What was taken off the list of this device is not offered again.
    const item = itemId === null ? undefined : storage.items.get(itemId);
    if (itemId !== null && (item === undefined || !isOnList(item))) return undefined;
    const excerpt = searchExcerpt(this.#textOf(row, terms) ?? '', terms);
    if (excerpt === undefined) return undefined;
    const where = this.#viewPlace(place.sphere);
    const who = { from, fromName: names.of(from), mine: from === own };
    return { sphereId, messageId: id, itemId, place: where, ...who, atMs, ...viewExcerpt(excerpt) };
  }

  /** What is shared with one person alone is found where they are. */
  #viewPlace(sphere: Sphere): FoundLineView['place'] {
    const { people, own, names } = this.#deps;
    const { state } = sphere;
    const jid = partnerIn(state, sphere.ownJid(own));
    const contact = jid === null ? undefined : people.contacts.get(jid);
    if (contact === undefined) return { kind: 'sphere', name: state.name };
    return { kind: 'talk', jid: contact.jid, name: names.of(contact.jid) };
  }

  #viewTalk(id: EventId, places: ReadonlyMap<SphereId, Place>, terms: readonly string[]): FoundLineView | undefined {
    const row = this.#deps.storage.directMessages.get(id);
    const place = row === undefined ? undefined : places.get(conversationIdOf(row.peer));
    if (row === undefined || place?.kind !== 'talk' || !isReadable(row.state)) return undefined;
    const excerpt = searchExcerpt(row.text, terms);
    if (excerpt === undefined) return undefined;
    const { sphereId, from, fromName, mine, atMs } = viewDirectMessage(this.#deps, row);
    const { jid } = place.contact;
    const name = this.#deps.names.of(jid);
    const who = { from, fromName, mine };
    return {
      sphereId,
      messageId: id,
      itemId: null,
      place: { kind: 'talk', jid, name },
      ...who,
      atMs,
      ...viewExcerpt(excerpt),
    };
  }
}

function viewExcerpt({
  text,
  marks,
}: NonNullable<ReturnType<typeof searchExcerpt>>): Pick<FoundLineView, 'text' | 'marks'> {
  return { text, marks: [...marks] };
}

/** What could not be decrypted or is forged says nothing that anybody looks for. */
function isReadable(state: MessageRow['state'] | DirectMessageRow['state']): boolean {
  return state !== 'undecryptable' && state !== 'forged';
}
