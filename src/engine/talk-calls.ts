import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';

const DONE = { ok: true as const };

/** Calls about the conversation with one person go there, all others to the spheres. */
export function withTalks(deps: AppCallsDeps, spheres: AppServices['messages']): AppServices['messages'] {
  const { holder, views } = deps;
  const { peerOf, ofPeer } = findLines(deps);
  return {
    ...spheres,
    ...withChanges(deps, spheres),
    list(input, signal) {
      const { sphereId, after, before, around, limit } = input;
      const peer = peerOf(sphereId);
      if (peer === undefined) return spheres.list(input, signal);
      const { directMessages } = holder.session.storage;
      const rows =
        around !== undefined
          ? directMessages.around(peer, ofPeer(peer, around).position, limit)
          : after !== undefined
            ? directMessages.after(peer, ofPeer(peer, after).position, limit)
            : before !== undefined
              ? directMessages.before(peer, ofPeer(peer, before).position, limit)
              : directMessages.newest(peer, limit);
      return Promise.resolve({ messages: rows.map((row) => views.directMessage(row)) });
    },
    say(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.say(input, signal);
      const replyTo = input.replyTo === undefined ? null : ofPeer(peer, input.replyTo).id;
      const said = holder.session.people.talk.say(peer, input.text, replyTo);
      return Promise.resolve({ message: views.directMessage(said) });
    },
    text(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.text(input, signal);
      return Promise.resolve({ text: ofPeer(peer, input.messageId).text });
    },
    retry(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.retry(input, signal);
      holder.session.people.talk.retry(ofPeer(peer, input.messageId).id);
      return Promise.resolve(DONE);
    },
    remove(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.remove(input, signal);
      holder.session.people.talk.remove(ofPeer(peer, input.messageId).id);
      return Promise.resolve(DONE);
    },
  };
}

/** What is done about lines that were said. */
function withChanges(
  deps: AppCallsDeps,
  spheres: AppServices['messages'],
): Pick<AppServices['messages'], 'edit' | 'retract' | 'react'> {
  const { holder, views } = deps;
  const { peerOf, ofPeer } = findLines(deps);
  return {
    edit(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.edit(input, signal);
      const edited = holder.session.people.talk.edit(ofPeer(peer, input.messageId).id, input.text);
      return Promise.resolve({ message: views.directMessage(edited) });
    },
    retract(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.retract(input, signal);
      // The other one's program has no way to put it back.
      if (input.isUndone) throw new AppError('not-allowed', 'what was taken back in a talk stays away');
      holder.session.people.talk.retract(ofPeer(peer, input.messageId).id);
      return Promise.resolve(DONE);
    },
    react(input, signal) {
      const peer = peerOf(input.sphereId);
      if (peer === undefined) return spheres.react(input, signal);
      holder.session.people.talk.react(ofPeer(peer, input.messageId).id, input.signs);
      return Promise.resolve(DONE);
    },
  };
}

function findLines({ holder }: AppCallsDeps) {
  return {
    peerOf: (id: SphereId): BareJid | undefined => holder.session.people.contacts.peerOf(id),
    ofPeer: (peer: BareJid, id: EventId): DirectMessageRow => {
      const row = holder.session.storage.directMessages.get(id);
      if (row?.peer !== peer) throw new AppError('not-found', 'no such line');
      return row;
    },
  };
}
