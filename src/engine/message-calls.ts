import { AppError } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';
import type { MessageView } from '../contract/views.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { itemComments } from './item-comments.ts';
import { readConfig } from './profile.ts';

const DONE = { ok: true as const };
type Asked = Parameters<AppServices['messages']['list']>[0];

export function messageCalls({ holder, views, profile }: AppCallsDeps): AppServices['messages'] {
  const view = (id: EventId): MessageView => {
    const row = holder.session.storage.messages.get(id);
    if (row === undefined) throw new Error('the message was not kept');
    return views.message(row);
  };
  return {
    list(asked) {
      const { storage, list } = holder.session;
      list.get(asked.sphereId);
      return Promise.resolve({ messages: rowsOf(storage.messages, asked).map((row) => views.message(row)) });
    },
    say({ sphereId, text, replyTo = null, mentions = [] }) {
      return Promise.resolve({ message: view(holder.session.messages.say(sphereId, text, { replyTo, mentions })) });
    },
    text({ sphereId, messageId }) {
      const row = holder.session.storage.messages.get(messageId);
      if (row?.sphereId !== sphereId) throw new AppError('not-found', 'no such line');
      return Promise.resolve({ text: row.text });
    },
    edit({ sphereId, messageId, text }) {
      holder.session.messages.edit(sphereId, messageId, text);
      return Promise.resolve({ message: view(messageId) });
    },
    retract({ sphereId, messageId, isUndone }) {
      holder.session.messages.retract(sphereId, messageId, isUndone);
      return Promise.resolve(DONE);
    },
    react({ sphereId, messageId, signs }) {
      holder.session.messages.react(sphereId, messageId, signs);
      return Promise.resolve(DONE);
    },
    comments({ sphereId, itemId }) {
      const { list, storage } = holder.session;
      const { lineId, rows } = itemComments(storage, list.get(sphereId), itemId);
      return Promise.resolve({ lineId, messages: rows.map((row) => views.message(row)) });
    },
    typing({ sphereId, isTyping }) {
      if (!isTyping || readConfig(profile).tellTyping) holder.session.typing.say(sphereId, isTyping);
      return Promise.resolve(DONE);
    },
    retry({ sphereId, messageId }) {
      holder.session.messages.retry(sphereId, messageId);
      return Promise.resolve(DONE);
    },
    remove({ sphereId, messageId }) {
      holder.session.messages.remove(sphereId, messageId);
      return Promise.resolve(DONE);
    },
    search: (wanted) => Promise.resolve(holder.session.search.find(wanted)),
  };
}

function rowsOf(messages: Storage['messages'], asked: Asked): MessageRow[] {
  const { sphereId, after, before, around, limit } = asked;
  const at = (id: EventId) => messages.get(id) ?? { place: 0, lamport: 0, order: 0 };
  if (around !== undefined) return messages.around(sphereId, at(around), limit);
  if (after !== undefined) return messages.after(sphereId, at(after), limit);
  if (before !== undefined) return messages.before(sphereId, at(before), limit);
  return messages.newest(sphereId, limit);
}
