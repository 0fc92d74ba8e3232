import { toBase64 } from '../base/bytes.ts';
import { type EventId, parseEventId, parseSphereId, type SphereId } from '../base/id.ts';
import { readBase64 } from './base64-text.ts';
import { attr, children, type Element, xml } from './element.ts';

export const NS_SEALED = 'urn:spherecast:sealed:0';
export const NS_EPHEMERAL = 'urn:spherecast:ephemeral:0';
const VERSION = '1';
const MAX_BYTES = 48 * 1024;

/** The sealed part of a durable message: `bytes` is what PROTOCOL's sealing gives, opened elsewhere. */
export interface SealedPart {
  readonly sphere: SphereId;
  readonly event: EventId;
  readonly bytes: Uint8Array;
}

/** An ephemeral message, sealed under the key that the event `epoch` brought. */
export interface EphemeralPart {
  readonly sphere: SphereId;
  readonly epoch: EventId;
  readonly bytes: Uint8Array;
}

export function sealedElement({ sphere, event, bytes }: SealedPart): Element {
  return xml('sealed', { xmlns: NS_SEALED, v: VERSION, sphere, event }, toBase64(bytes));
}

export function ephemeralElement({ sphere, epoch, bytes }: EphemeralPart): Element {
  return xml('ephemeral', { xmlns: NS_EPHEMERAL, v: VERSION, sphere, epoch }, toBase64(bytes));
}

/** Undefined when the message has none, or one that is malformed, too large, or of a later version. */
export function readSealed(message: Element): SealedPart | undefined {
  const element = only(message, 'sealed', NS_SEALED);
  const part = readCommon(element);
  const event = readHash(parseEventId, attr(element, 'event'));
  return part === undefined || event === undefined ? undefined : { ...part, event };
}

export function readEphemeral(message: Element): EphemeralPart | undefined {
  const element = only(message, 'ephemeral', NS_EPHEMERAL);
  const part = readCommon(element);
  const epoch = readHash(parseEventId, attr(element, 'epoch'));
  return part === undefined || epoch === undefined ? undefined : { ...part, epoch };
}

/** Two sealed parts in one message would let readers disagree about it. */
function only(message: Element, name: string, xmlns: string): Element | undefined {
  const found = children(message, name, xmlns);
  return found.length === 1 ? found[0] : undefined;
}

function readCommon(element: Element | undefined): { sphere: SphereId; bytes: Uint8Array } | undefined {
  if (attr(element, 'v') !== VERSION) return undefined;
  const sphere = readHash(parseSphereId, attr(element, 'sphere'));
  const bytes = readBase64(element, MAX_BYTES);
  if (sphere === undefined || bytes === undefined || bytes.length === 0) return undefined;
  return { sphere, bytes };
}

function readHash<T>(parse: (text: string) => T, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch {
    // Not 64 hex digits: the element is malformed as a whole.
    return undefined;
  }
}
