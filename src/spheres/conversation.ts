import { fromUtf8 } from '../base/bytes.ts';
import { cutText, requireSayable } from '../base/cut-text.ts';
import { AppError } from '../base/errors.ts';
import type { EventId, PersonId, SphereId } from '../base/id.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { attachment, encodeEnvelope, entryOf } from './protocol/envelope.ts';
import type { KnownEvent } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import { eventsOfText, isLongText, MAX_PIECE_BYTES } from './protocol/long-text.ts';
import type { Dispatch, Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** What a text refers to. */
export interface About {
  readonly replyTo?: EventId | null;
  readonly mentions?: readonly PersonId[];
}

/** What an event says of its text. */
interface Said {
  readonly textSha256: string;
  readonly parts?: number;
}

/** Says things in spheres. */
export class Conversation {
  readonly #list: SphereList;
  readonly #storage: Storage;

  constructor(deps: { list: SphereList; storage: Storage }) {
    this.#list = deps.list;
    this.#storage = deps.storage;
  }

  /** Keeps the message and queues it; what it says goes out whenever the server can be reached. */
  say(sphereId: SphereId, text: string, about: About = {}): EventId {
    const sphere = this.#list.getJoined(sphereId);
    const { replyTo = null, mentions = [] } = about;
    const rest = { replyTo, ...(mentions.length === 0 ? {} : { mentions: [...mentions] }) };
    return this.#write(sphere, text, (said, dispatch) =>
      this.#list.publish(sphere, 'message', { ...said, ...rest }, dispatch),
    ).id;
  }

  /** Gives a text of ours other words. */
  edit(sphereId: SphereId, target: EventId, text: string): void {
    const { sphere, event } = this.#said(sphereId, target);
    if (event.header.person !== sphere.person) throw new AppError('not-allowed', 'only one’s own words are changed');
    this.#write(sphere, text, (said, dispatch) => this.#list.publish(sphere, 'edit', { target, ...said }, dispatch));
  }

  /** Takes a text off everybody's screen: one of ours or, for owner and admins, anybody's. `isUndone` puts it back. */
  retract(sphereId: SphereId, target: EventId, isUndone: boolean): void {
    const { sphere, event } = this.#said(sphereId, target);
    const role = [...sphere.state.members.values()].find(({ person }) => person === sphere.person)?.role;
    const isRuler = role === 'owner' || role === 'admin';
    if (event.header.person !== sphere.person && !isRuler) {
      throw new AppError('not-allowed', 'only owner and admins take away what others said');
    }
    // What has not left yet is not sent any more, but it may be under way: the others are told all the same.
    if (!isUndone && this.#storage.messages.get(target)?.state === 'queued') this.#takeBack(sphere, target);
    this.#list.publish(sphere, 'retract', { target, isUndone }, { audience: { kind: 'certified' } });
  }

  /** All that we have to say in signs to a line, in place of what we said before. */
  react(sphereId: SphereId, target: EventId, signs: readonly string[]): void {
    const sphere = this.#list.getJoined(sphereId);
    const { log, person } = sphere;
    if (!this.#storage.messages.has(target) || !log.has(target)) throw new AppError('not-found', 'no such line');
    const wanted = [...new Set(signs)];
    const known = log.annotations.signsOf(target, person);
    if (wanted.length === known.length && wanted.every((sign) => known.includes(sign))) return;
    this.#list.publish(sphere, 'reaction', { target, signs: wanted }, { audience: { kind: 'certified' } });
  }

  /** Queues a line of ours again that could not be sent. */
  retry(sphereId: SphereId, id: EventId): void {
    const { sphere, failure } = this.#failed(sphereId, id);
    const { messages, outbox } = this.#storage;
    // Whoever is removed, or lost the right to say it, would only be refused once more.
    if (sphere.log.verdict(id)?.kind !== 'accepted') throw new AppError(failure ?? 'not-allowed', 'it does not count');
    this.#list.getJoined(sphereId);
    this.#storage.transaction(() => {
      const rows = eventsOfText(sphere.log, id).flatMap((event) => outbox.byEvent(event));
      for (const row of rows) outbox.update(row.id, { state: 'queued', attempts: 0 });
      messages.update(id, { state: 'queued', failure: null });
    });
    this.#list.announce(sphere, [{ kind: 'message', id }]);
  }

  /** Forgets a text of ours that could not be sent. Its event goes out bare, so that what follows it has no gap. */
  remove(sphereId: SphereId, id: EventId): void {
    const { sphere, kind } = this.#failed(sphereId, id);
    if (kind !== 'text') throw new AppError('not-allowed', 'only what was written is taken back');
    this.#takeBack(sphere, id);
    // Parts of a long one may have left: nobody is to wait for the rest.
    const counts = sphere.log.verdict(id)?.kind === 'accepted';
    if (!counts || !isLongText(sphere.log.get(id))) return;
    this.#list.publish(sphere, 'retract', { target: id, isUndone: false }, { audience: { kind: 'certified' } });
  }

  /** Together with other words that it was given since. */
  #takeBack(sphere: Sphere, id: EventId): void {
    const { messages, outbox, attachments } = this.#storage;
    const { annotations } = sphere.log;
    const texts = [id, ...annotations.editsOf(id)].flatMap((text) => eventsOfText(sphere.log, text));
    this.#storage.transaction(() => {
      messages.remove(id);
      for (const text of texts) {
        attachments.remove(text, 'text');
        const event = sphere.log.get(text);
        const waiting = outbox.byEvent(text);
        for (const row of waiting) outbox.remove(row.id);
        // Other words that were given to it and have left already need not leave again.
        if (text !== id && waiting.length === 0) continue;
        if (event === undefined || sphere.log.verdict(text)?.kind !== 'accepted') continue;
        const audience = { kind: 'members' } as const;
        sphere.enqueueEnvelope(text, encodeEnvelope([entryOf(event)]), sphere.row.room, { audience });
      }
    });
    this.#list.announce(sphere, [{ kind: 'message-gone', id }]);
  }

  /** A long text goes out in several lines, which other programs show one after the other. */
  #write<T>(sphere: Sphere, text: string, say: (said: Said, dispatch: Dispatch) => T): T {
    requireSayable(text);
    const pieces = cutText(text, MAX_PIECE_BYTES).map(written);
    const parts = pieces.slice(0, -1);
    const last = pieces.at(-1) ?? written(new Uint8Array());
    return this.#list.together(sphere, () => {
      for (const { said, dispatch } of parts) this.#list.publish(sphere, 'part', said, dispatch);
      return say({ ...last.said, ...(parts.length === 0 ? {} : { parts: parts.length }) }, last.dispatch);
    });
  }

  #said(sphereId: SphereId, id: EventId): { readonly sphere: Sphere; readonly event: KnownEvent<'message'> } {
    const sphere = this.#list.getJoined(sphereId);
    const event = sphere.log.get(id);
    if (event?.type !== 'message') throw new AppError('not-found', 'no such message');
    return { sphere, event };
  }

  #failed(sphereId: SphereId, id: EventId): MessageRow & { readonly sphere: Sphere } {
    const sphere = this.#list.get(sphereId);
    const row = this.#storage.messages.get(id);
    if (row?.sphereId !== sphereId || row.state !== 'failed') throw new AppError('not-found', 'no such failed line');
    return { ...row, sphere };
  }
}

/** How a piece goes out: as the line that every client shows. */
function written(bytes: Uint8Array): { readonly said: Said; readonly dispatch: Dispatch } {
  const dispatch: Dispatch = {
    audience: { kind: 'members' },
    kept: [attachment('text', bytes)],
    line: fromUtf8(bytes) ?? '',
  };
  return { said: { textSha256: sha256Hex(bytes) }, dispatch };
}
