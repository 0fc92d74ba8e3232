import { fromUtf8 } from '../../base/bytes.ts';
import type { Attachment, AttachmentKind } from './envelope.ts';
import { epochCommitment } from './epoch.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import { isItemEvent } from './event.ts';
import { KEY_BYTES, sha256Hex } from './keys.ts';
import { MAX_PIECE_BYTES, saysText } from './long-text.ts';
import { WRAPPED_KEY_BYTES } from './media-key.ts';
import { pictureFormat } from './picture-format.ts';

export interface CheckedAttachments {
  /** They are what the event's author meant. */
  readonly accepted: readonly Attachment[];
  /** They differ from the hashes in the event: whoever sent them lied, which need not be the event's author. */
  readonly refused: readonly Attachment[];
  /** Of a kind or beside an event that this version does not know; may be passed on, never used. */
  readonly unchecked: readonly Attachment[];
}

/** Compares what came beside an event with the hashes in the event. */
export function checkAttachments(event: SignedEvent, attachments: readonly Attachment[]): CheckedAttachments {
  const accepted: Attachment[] = [];
  const refused: Attachment[] = [];
  const unchecked: Attachment[] = [];
  for (const entry of attachments) {
    if (entry.kind === null || event.type === 'unknown') unchecked.push(entry);
    else if (isWhatAuthorMeant(event, entry.kind, entry.bytes)) accepted.push(entry);
    else refused.push(entry);
  }
  return { accepted, refused, unchecked };
}

/** Events that are a text which a person wrote. */
export function hasText(event: SignedEvent): event is KnownEvent<'message' | 'edit' | 'part'> {
  return saysText(event) || event.type === 'part';
}

/** True when `text` is the text that the event commits to. */
export function isTextOf(event: SignedEvent, text: Uint8Array): boolean {
  if (!hasText(event) || sha256Hex(text) !== event.body.textSha256) return false;
  const isPiece = event.type === 'part' || event.body.parts !== undefined;
  return (!isPiece || text.length <= MAX_PIECE_BYTES) && fromUtf8(text) !== undefined;
}

/** True when `bytes` are the picture that the event commits to. Whether they can be drawn shows only when they are. */
function isPictureOf(event: SignedEvent, bytes: Uint8Array): boolean {
  if (event.type !== 'picture' || bytes.length !== event.body.bytes) return false;
  return pictureFormat(bytes) !== null && sha256Hex(bytes) === event.body.sha256;
}

function isWhatAuthorMeant(event: SignedEvent, kind: AttachmentKind, bytes: Uint8Array): boolean {
  switch (kind) {
    case 'metainfo':
      return (
        isItemEvent(event) &&
        bytes.length === event.body.metainfoBytes &&
        sha256Hex(bytes) === event.body.metainfoSha256
      );
    case 'manifest':
      return (
        event.type === 'item' &&
        bytes.length === event.body.manifest.length &&
        sha256Hex(bytes) === event.body.manifest.sha256
      );
    case 'preview':
      return event.type === 'item' && sha256Hex(bytes) === event.body.previewSha256;
    case 'picture':
      return isPictureOf(event, bytes);
    case 'media-key':
      // Only the length can be judged here: the key check follows when it is unwrapped.
      return event.type === 'item' && !event.body.plain && bytes.length === WRAPPED_KEY_BYTES;
    case 'epoch-key':
      return event.type === 'epoch' && bytes.length === KEY_BYTES && epochCommitment(bytes) === event.body.commitment;
    case 'text':
      return isTextOf(event, bytes);
    case 'invite-secret':
      // Whether it fits the invite is judged by whoever is invited.
      return event.type === 'invite' && bytes.length === KEY_BYTES;
    case 'device-name':
    case 'history-pack':
      // Nothing in an event tells what a device is called, or what is on its way to one: they have no place in a sphere.
      return false;
  }
}
