import { expect, test } from 'vitest';
import { EarlyHistory } from './early-history.ts';
import type { RoomMessage } from './room-types.ts';

const never = new AbortController().signal;
const line = (nick: string): RoomMessage => ({ nick }) as RoomMessage;

/** An archive that answers when it is told to. */
function archive() {
  const asked: (string | null)[] = [];
  const answers: PromiseWithResolvers<readonly string[]>[] = [];
  const early = new EarlyHistory(async function* (after, _signal, onEntry) {
    asked.push(after);
    const answer = Promise.withResolvers<readonly string[]>();
    answers.push(answer);
    for (const nick of await answer.promise) {
      onEntry?.();
      yield line(nick);
    }
  });
  const read = async (after: string | null): Promise<string[]> => {
    const nicks: string[] = [];
    for await (const { nick } of early.take(after, never)) nicks.push(nick);
    return nicks;
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { early, asked, answers, read, settle };
}

test('what is asked for with the entry is read once we are inside, without being asked for again', async () => {
  const { early, asked, answers, read } = archive();
  early.begin('7', never);
  early.entered();
  answers[0]?.resolve(['a', 'b']);
  expect(await read('7')).toEqual(['a', 'b']);
  expect(asked).toEqual(['7']);
});

test('an answer that came before we were inside is asked for anew: what was said in between is not lost', async () => {
  const { early, asked, answers, read, settle } = archive();
  early.begin('7', never);
  answers[0]?.resolve([]);
  await settle();
  early.entered();
  const reading = read('7');
  await settle();
  answers[1]?.resolve(['said in between']);
  expect(await reading).toEqual(['said in between']);
  expect(asked).toEqual(['7', '7']);
});

test('a refusal, and another place to read from, mean that it is asked for anew', async () => {
  const { early, asked, answers, read, settle } = archive();
  early.begin('7', never);
  early.entered();
  answers[0]?.reject(new Error('forbidden'));
  const first = read('7');
  await settle();
  answers[1]?.resolve(['a']);
  expect(await first).toEqual(['a']);
  early.begin('7', never);
  const second = read('8');
  await settle();
  answers[3]?.resolve(['b']);
  expect(await second).toEqual(['b']);
  expect(asked).toEqual(['7', '7', '7', '8']);
});
