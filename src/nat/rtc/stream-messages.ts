// Spherecast wire format, "Streams over data channels", version 1
import { AppError } from '../../base/errors.ts';

/** The protocol a data channel names when it is opened. */
export const STREAM_PROTOCOL = 'spherecast-stream-1';
/** The longest message; what every WebRTC implementation takes. */
export const MESSAGE_BYTES = 65_536;
/** What a message costs besides its length: many small ones must not take more memory than a few large ones. */
export const MESSAGE_COST = 512;
/** What each side may send before it hears from the other; more than one longest message. */
export const FIRST_CREDIT = 131_072;
/** More credit than this at once is a broken or hostile peer. */
export const MOST_CREDIT = 2 ** 26;

/** Messages of text steer the stream, binary ones are its bytes. */
export type Control =
  /** The side that did not open the channel listens. */
  | { readonly kind: 'ready' }
  /** More may be sent. */
  | { readonly kind: 'credit'; readonly amount: number }
  /** No bytes follow. */
  | { readonly kind: 'end' }
  /** Everything up to the other's end has arrived. */
  | { readonly kind: 'ended' };

export function encodeControl(control: Control): string {
  return control.kind === 'credit' ? `+${control.amount}` : control.kind;
}

/** Fails with `bad-input`. */
export function decodeControl(text: string): Control {
  if (text === 'ready' || text === 'end' || text === 'ended') return { kind: text };
  if (/^\+[1-9]\d{0,7}$/.test(text)) return { kind: 'credit', amount: Number(text.slice(1)) };
  throw new AppError('bad-input', 'unknown message of a stream', { length: text.length });
}
