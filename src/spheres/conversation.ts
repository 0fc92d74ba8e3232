import { toUtf8 } from '../base/bytes.ts';
import type { EventId, SphereId } from '../base/id.ts';
import { attachment } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { SphereList } from './sphere-list.ts';

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
    const body = { textSha256: sha256Hex(bytes), replyTo: null };
    const kept = [attachment('text', bytes)];
    return this.#list.publish(sphere, 'message', body, { audience: { kind: 'members' }, kept, line: text }).id;
  }
}
