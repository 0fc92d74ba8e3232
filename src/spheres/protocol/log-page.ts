import * as z from 'zod';
import { fromUtf8, toUtf8 } from '../../base/bytes.ts';
import type { DeviceKey, EventId, PersonId, SphereId } from '../../base/id.ts';
import type { Json } from './canonical-json.ts';
import type { EventHeader, SignedEvent } from './event.ts';
import { readBody } from './event.ts';
import type { KnownType } from './event-body.ts';
import { eventBodySchemas } from './event-body.ts';
import { sha256Hex } from './keys.ts';

/** Pages of another form are made again. */
const VERSION = 1;

/** One event of a page. What many have in common stands in the page once; `previous` may be one before it in the page. */
type PagedEvent = [
  id: EventId,
  type: number,
  person: number,
  device: number,
  membership: number | null,
  previous: number | EventId | null,
  sequence: number,
  lamport: number,
  wallMs: number,
  body: Json,
];

interface Page {
  readonly version: number;
  readonly rules: string;
  readonly texts: readonly string[];
  readonly events: readonly PagedEvent[];
}

/** Who keeps the events themselves. */
export interface EventKeeper {
  readonly sphereId: SphereId;
  readonly find: (id: EventId) => Pick<SignedEvent, 'bytes' | 'signature'>;
}

/** By far the most of a long log, whose bodies change nothing in its state: they are read when somebody asks for them. */
const READ_LATER: ReadonlySet<string> = new Set(['message', 'part'] satisfies KnownType[]);
const { message, part } = eventBodySchemas;
/** That such a body breaks none of these was found when its page was made: by other rules it may be malformed. */
const RULES = sha256Hex(
  toUtf8(JSON.stringify([message, part].map((schema) => z.toJSONSchema(schema, { io: 'input' })))),
);

/** Whether an event can be read from a page as it is read from its bytes. */
export function isForPage({ type, header }: SignedEvent): boolean {
  return !READ_LATER.has(header.type) || type === header.type;
}

/** For our own database: what is read from it was checked when it came. */
export function encodePage(events: readonly SignedEvent[]): Uint8Array {
  const texts = new Map<string, number>();
  const places = new Map<EventId, number>();
  const noted = (text: string): number => {
    const place = texts.get(text) ?? texts.size;
    texts.set(text, place);
    return place;
  };
  const rows = events.map(({ id, bytes, header }, index): PagedEvent => {
    const { type, person, device, membership, previous, sequence, lamport, wallMs } = header;
    const before = previous === null ? null : (places.get(previous) ?? previous);
    places.set(id, index);
    const names = [noted(type), noted(person), noted(device), membership === null ? null : noted(membership)] as const;
    // As it came, with what this version does not know.
    const { body } = JSON.parse(fromUtf8(bytes) ?? '') as { readonly body: Json };
    return [id, ...names, before, sequence, lamport, wallMs, body];
  });
  return toUtf8(
    JSON.stringify({ version: VERSION, rules: RULES, texts: [...texts.keys()], events: rows } satisfies Page),
  );
}

/** Nothing of a page of another form, or made by other rules. `shared`: texts of other pages, so that each is in memory once. */
export function decodePage(
  bytes: Uint8Array | undefined,
  keeper: EventKeeper,
  shared: Map<string, string>,
): SignedEvent[] {
  const page = bytes === undefined ? undefined : readPage(bytes);
  if (page?.version !== VERSION || page.rules !== RULES) return [];
  const texts = page.texts.map((text) => {
    const known = shared.get(text) ?? text;
    shared.set(text, known);
    return known;
  });
  return page.events.map(([id, type, person, device, membership, previous, sequence, lamport, wallMs, body]) => {
    const header: EventHeader = {
      sphere: texts[type] === 'genesis' ? null : keeper.sphereId,
      person: texts[person] as PersonId,
      device: texts[device] as DeviceKey,
      sequence,
      previous: typeof previous === 'number' ? (page.events[previous]?.[0] ?? null) : previous,
      lamport,
      wallMs,
      membership: membership === null ? null : (texts[membership] as EventId),
      type: texts[type] ?? '',
    };
    return new StoredEvent(id, header, body, keeper) as SignedEvent;
  });
}

function readPage(bytes: Uint8Array): Page | undefined {
  try {
    return JSON.parse(fromUtf8(bytes) ?? '') as Page;
  } catch {
    // Made again from the events.
    return undefined;
  }
}

/** An event whose bytes stay on the disk until somebody asks for them. */
class StoredEvent {
  readonly id: EventId;
  readonly header: EventHeader;
  readonly type: SignedEvent['type'];
  readonly #keeper: EventKeeper;
  #body: unknown;
  #isBodyRead: boolean;

  constructor(id: EventId, header: EventHeader, body: Json, keeper: EventKeeper) {
    this.id = id;
    this.header = header;
    this.#keeper = keeper;
    this.#isBodyRead = !READ_LATER.has(header.type);
    const read = this.#isBodyRead ? readBody(header.type, body) : { type: header.type as SignedEvent['type'], body };
    this.type = read.type;
    this.#body = read.body;
  }

  get bytes(): Uint8Array {
    return this.#keeper.find(this.id).bytes;
  }

  get signature(): Uint8Array {
    return this.#keeper.find(this.id).signature;
  }

  get body(): unknown {
    if (!this.#isBodyRead) this.#body = readBody(this.header.type, this.#body as Json).body;
    this.#isBodyRead = true;
    return this.#body;
  }
}
