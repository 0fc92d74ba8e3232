import { toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { EventId, SphereId } from '../base/id.ts';
import { attachment } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { SphereList } from './sphere-list.ts';

/** Fits into a stanza beside the keys for as many devices as a sphere may have. */
const MAX_TEXT_BYTES = 8 * 1024;

/** Says things in spheres. */
export class Conversation {
  readonly #list: SphereList;

  constructor(deps: { list: SphereList }) {
    this.#list = deps.list;
  }

  /** Keeps the message and queues it; what it says goes out whenever the server can be reached. */
  say(sphereId: SphereId, text: string): EventId {
    const sphere = this.#list.getJoined(sphereId);
    const bytes = toUtf8(text);
    if (bytes.length > MAX_TEXT_BYTES) {
      throw new AppError('too-large', 'the message is too long', { bytes: bytes.length, maxBytes: MAX_TEXT_BYTES });
    }
    const body = { textSha256: sha256Hex(bytes), replyTo: null };
    const kept = [attachment('text', bytes)];
    return this.#list.publish(sphere, 'message', body, { audience: { kind: 'members' }, kept, line: text }).id;
  }
}
