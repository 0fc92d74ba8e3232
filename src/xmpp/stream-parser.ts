// RFC 6120: XMPP Core, §4 and §11
import { EventEmitter } from 'node:events';
import { AppError } from '../base/errors.ts';
import { type Element, NS_STREAM } from './element.ts';
import { NO_NAMESPACES, resolveNames } from './namespaces.ts';
import { StreamTokenizer } from './stream-tokenizer.ts';
import { malformed, type Tag } from './xml-syntax.ts';

/** What one stanza may cost. Beyond the first three it is dropped, beyond the last the stream ends. */
export interface StanzaLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxAttributes: number;
  readonly maxDroppedBytes: number;
}

export const STANZA_LIMITS: StanzaLimits = {
  maxBytes: 256 * 1024,
  maxDepth: 64,
  maxAttributes: 64,
  maxDroppedBytes: 1024 * 1024,
};

const KEPT = new Set(['xmlns', 'id', 'from', 'to', 'type']);
const dropped = new WeakSet<Element>();

/**
 * Whether the parser dropped this stanza's content because it went over a limit. Only its name and its
 * routing attributes are left, so that it can be counted and answered.
 */
export function isDropped(stanza: Element): boolean {
  return dropped.has(stanza);
}

interface OpenElement {
  readonly name: string;
  /** Missing inside a stanza that is being dropped. */
  readonly element: Element | undefined;
  readonly namespace: string | undefined;
  readonly namespaces: ReadonlyMap<string, string>;
}

/**
 * Parses one XML stream: bytes in, `start`, `element` (each child of the root), `end` and `error` out.
 * Takes time and memory in proportion to the input and throws nothing; after an error it is deaf.
 * A stanza that any contact could have sent never ends the stream: what goes over a limit is dropped.
 */
export class StreamParser extends EventEmitter {
  readonly #limits: StanzaLimits;
  readonly #tokens: StreamTokenizer;
  readonly #open: OpenElement[] = [];
  #stanzaBytes = 0;
  #dropping = false;
  #state: 'before' | 'inside' | 'after' | 'broken' = 'before';

  constructor(limits: StanzaLimits = STANZA_LIMITS) {
    super();
    this.#limits = limits;
    this.#tokens = new StreamTokenizer({
      onTag: (tag) => this.#tag(tag),
      onText: (text) => this.#text(text),
      onBytes: (count) => this.#count(count),
    });
  }

  /** Whether nothing is half read: no part of a tag and no open stanza. */
  get isBetweenStanzas(): boolean {
    return this.#tokens.isIdle && this.#open.length === 1;
  }

  write(data: Uint8Array): void {
    if (this.#state === 'broken') return;
    try {
      this.#tokens.write(data);
    } catch (error) {
      this.stop();
      // An emitter throws when nobody listens to its errors; a torn-down stream has no listener left.
      if (this.listenerCount('error') > 0) this.emit('error', error);
    }
  }

  /** Nothing more comes out, not even of what is being written now. */
  stop(): void {
    this.#state = 'broken';
    this.#tokens.stop();
  }

  #count(bytes: number): void {
    this.#stanzaBytes += bytes;
    if (this.#stanzaBytes > this.#limits.maxDroppedBytes) {
      throw new AppError('too-large', 'the stanza does not end', { bytes: this.#stanzaBytes });
    }
    if (this.#stanzaBytes > this.#limits.maxBytes) this.#drop();
  }

  #drop(): void {
    if (this.#state === 'before') throw new AppError('too-large', 'the stream header is over a limit');
    if (this.#dropping) return;
    this.#dropping = true;
    const stanza = this.#open[1]?.element;
    if (stanza !== undefined) strip(stanza);
    if (this.#open.length > 1) this.#tokens.setTextMode('discard');
  }

  #tag(tag: Tag): void {
    if (this.#state === 'after') throw malformed('content after the end of the stream');
    if (tag.kind === 'end') this.#close(tag.name);
    else {
      this.#openElement(tag);
      if (tag.selfClosing) this.#close(tag.name);
    }
    if (this.#open.length <= 1) {
      this.#stanzaBytes = 0;
      this.#tokens.setTextMode('direct');
    } else this.#tokens.setTextMode(this.#dropping ? 'discard' : 'collect');
  }

  #openElement(tag: Tag): void {
    const depth = this.#open.length;
    const parent = this.#open.at(-1);
    if (this.#dropping && depth > 1) {
      this.#open.push({ name: tag.name, element: undefined, namespace: undefined, namespaces: NO_NAMESPACES });
      return;
    }
    const { maxDepth, maxAttributes } = this.#limits;
    const { element, namespace, namespaces, isValid } = resolveNames(tag, parent?.namespaces, parent?.namespace);
    const isOver = !isValid || depth > maxDepth || tag.attributes.length > maxAttributes;
    this.#open.push({ name: tag.name, element, namespace, namespaces });
    if (depth === 0) {
      // RFC 6120 §4.8.1
      if (isOver || namespace !== NS_STREAM) throw malformed('not a stream header');
      this.#state = 'inside';
      this.emit('start', element);
      return;
    }
    if (depth > 1) parent?.element?.append(element);
    if (isOver) this.#drop();
  }

  #close(name: string): void {
    const closing = this.#open.pop();
    if (closing === undefined || closing.name !== name) throw malformed('an end tag does not match');
    if (this.#open.length === 0) {
      this.#state = 'after';
      this.emit('end', closing.element);
    } else if (this.#open.length === 1 && closing.element !== undefined) this.#finishStanza(closing.element);
  }

  #finishStanza(stanza: Element): void {
    if (this.#dropping) {
      this.#dropping = false;
      strip(stanza);
      dropped.add(stanza);
    }
    stanza.parent = this.#open[0]?.element ?? null;
    this.emit('element', stanza);
  }

  #text(text: string): void {
    if (this.#open.length > 1) this.#open.at(-1)?.element?.t(text);
    // RFC 6120 §4.6.1: between stanzas only white space is sent, to keep the connection alive.
    else if (!/^[ \t\r\n]*$/.test(text)) throw malformed('text outside a stanza');
  }
}

function strip(stanza: Element): void {
  stanza.children = [];
  stanza.attrs = Object.fromEntries(Object.entries(stanza.attrs).filter(([name]) => KEPT.has(name)));
}
