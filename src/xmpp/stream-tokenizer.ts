// XML 1.0 (fifth edition), restricted as RFC 6120 §11 says
import { characterData, isXmlText, malformed, normaliseLines, parseTag, type Tag } from './xml-syntax.ts';

export interface TokenSink {
  onTag(tag: Tag): void;
  onText(text: string): void;
  /** Called before the bytes are kept, so that the sink can refuse more. */
  onBytes(count: number): void;
}

/**
 * What happens to text: `collect` gives all of it up to the next tag at once, `direct` gives each part as
 * it comes and keeps nothing, `discard` drops it.
 */
export type TextMode = 'collect' | 'direct' | 'discard';

type State = 'text' | 'markup' | 'cdata';
const CDATA = '<![CDATA[';

/** Cuts a byte stream into tags and text, whatever the cuts between the writes. Throws on the first fault. */
export class StreamTokenizer {
  readonly #sink: TokenSink;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #state: State = 'text';
  /** The parts of the unfinished token: joined once at its end, so that many small writes cost no more than one. */
  #parts: string[] = [];
  #length = 0;
  #quote: '"' | "'" | undefined;
  #seenTag = false;
  #textMode: TextMode = 'direct';
  #stopped = false;

  constructor(sink: TokenSink) {
    this.#sink = sink;
  }

  get isIdle(): boolean {
    return this.#state === 'text' && this.#length === 0;
  }

  setTextMode(mode: TextMode): void {
    this.#textMode = mode;
  }

  stop(): void {
    this.#stopped = true;
    this.#parts = [];
  }

  write(data: Uint8Array): void {
    const text = this.#decode(data);
    if (!isXmlText(text)) throw malformed('a character that XML forbids');
    let position = 0;
    while (position < text.length && !this.#stopped) {
      switch (this.#state) {
        case 'text':
          position = this.#readText(text, position);
          break;
        case 'markup':
          position = this.#readMarkup(text, position);
          break;
        case 'cdata':
          position = this.#readCdata(text, position);
          break;
      }
    }
  }

  #decode(data: Uint8Array): string {
    try {
      return this.#decoder.decode(data, { stream: true });
    } catch (error) {
      throw malformed('not UTF-8', { cause: error instanceof Error ? error.message : undefined });
    }
  }

  #readText(text: string, from: number): number {
    const end = text.indexOf('<', from);
    const part = text.slice(from, end === -1 ? text.length : end);
    if (this.#textMode === 'direct') this.#sink.onText(part);
    else this.#keep(part);
    if (end === -1) return text.length;
    const whole = this.#take();
    if (whole !== '') this.#sink.onText(characterData(whole));
    this.#state = 'markup';
    this.#quote = undefined;
    return end;
  }

  #readMarkup(text: string, from: number): number {
    for (let index = from; index < text.length; index += 1) {
      const character = text[index];
      if (this.#quote !== undefined) {
        const close = text.indexOf(this.#quote, index);
        if (close === -1) break;
        this.#quote = undefined;
        index = close;
      } else if (character === '>') {
        this.#keep(text.slice(from, index + 1));
        this.#state = 'text';
        this.#markup(this.#take());
        return index + 1;
      } else if (character === '[' && this.#startsCdata(text, from, index)) return index + 1;
      else if (character === '"' || character === "'") this.#quote = character;
    }
    this.#keep(text.slice(from));
    return text.length;
  }

  #startsCdata(text: string, from: number, index: number): boolean {
    if (this.#length + index + 1 - from !== CDATA.length) return false;
    this.#keep(text.slice(from, index + 1));
    if (this.#take() !== CDATA) throw malformed('a declaration');
    this.#state = 'cdata';
    return true;
  }

  #readCdata(text: string, from: number): number {
    const end = text.indexOf('>', from);
    this.#keep(text.slice(from, end === -1 ? text.length : end + 1));
    if (end === -1) return text.length;
    if (!this.#endsCdata()) return end + 1;
    this.#state = 'text';
    const whole = this.#take();
    const content = normaliseLines(whole.slice(0, -3));
    if (content !== '' && this.#textMode !== 'discard') this.#sink.onText(content);
    return end + 1;
  }

  #endsCdata(): boolean {
    let tail = '';
    for (let index = this.#parts.length - 1; index >= 0 && tail.length < 3; index -= 1) {
      tail = (this.#parts[index] ?? '').slice(-3) + tail;
    }
    return tail.endsWith(']]>');
  }

  #markup(token: string): void {
    if (token.startsWith('<?')) {
      // RFC 6120 §11.5: an XML declaration may open the stream, and nothing else of its kind may follow.
      if (this.#seenTag || !/^<\?xml[ \t\r\n][^<]*\?>$/.test(token)) throw malformed('a processing instruction');
      this.#seenTag = true;
      return;
    }
    // RFC 6120 §11.1: no comments, no document type.
    if (token.startsWith('<!')) throw malformed('a declaration');
    this.#seenTag = true;
    this.#sink.onTag(parseTag(token));
  }

  #keep(part: string): void {
    if (part === '') return;
    this.#sink.onBytes(Buffer.byteLength(part));
    if (this.#state === 'text' && this.#textMode === 'discard') return;
    this.#parts.push(part);
    this.#length += part.length;
  }

  #take(): string {
    const whole = this.#parts.length === 1 ? (this.#parts[0] ?? '') : this.#parts.join('');
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}
