import { expect, test } from 'vitest';
import { errorCode } from '../base/errors.ts';
import { NS_STANZAS, xml } from './element.ts';
import { unlessForgotten } from './room-doubt.ts';
import { stanzaError } from './stanza-error.ts';

/** What becomes of a message that a room, in which we are, answers so; and whether the room is entered again. */
async function answered(condition: string, type: string): Promise<string> {
  const refusal = xml('error', { type }, xml(condition, { xmlns: NS_STANZAS }));
  const sent = Promise.reject(stanzaError(xml('message', { type: 'error' }, refusal)));
  let entered = '';
  const doubt = { isInside: () => Promise.resolve(true), enterAgain: () => void (entered = ', entered again') };
  const code = await unlessForgotten<string>(sent, doubt).catch(errorCode);
  return code + entered;
}

test('a fault of the room, and whatever it says will pass, is no word about the message', async () => {
  expect(await answered('internal-server-error', 'cancel')).toBe('server-unreachable');
  expect(await answered('unexpected-request', 'wait')).toBe('server-unreachable');
  expect(await answered('undefined-condition', 'cancel')).toBe('internal');
});

test('a room whose server cannot be reached is entered again before more is said in it', async () => {
  expect(await answered('remote-server-timeout', 'wait')).toBe('disconnected, entered again');
  expect(await answered('remote-server-not-found', 'cancel')).toBe('disconnected, entered again');
});
