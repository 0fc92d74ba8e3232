import { expect, test } from 'vitest';
import { Liveness } from './liveness.ts';

/** Two ends and what lies between them, second by second. */
function pair() {
  const ends = [new Liveness(), new Liveness()] as const;
  const state = { isCut: false, waiting: [false, false] as [boolean, boolean], keepAlives: 0, questions: 0 };
  const say = (from: 0 | 1, isKeepAlive: boolean): void => {
    ends[from].sent(isKeepAlive);
    if (state.isCut) return;
    const other = ends[from === 0 ? 1 : 0];
    other.heard();
    if (!isKeepAlive) other.gotMessage();
  };
  const seconds = (count: number): void => {
    for (let second = 0; second < count; second += 1) {
      for (const from of [0, 1] as const) {
        if (!ends[from].tick(state.waiting[from])) continue;
        state.keepAlives += 1;
        say(from, true);
      }
      for (const from of [0, 1] as const) {
        if (!ends[from].isQuestionDue) continue;
        state.questions += 1;
        say(from, false);
      }
    }
  };
  return { ends, state, say, seconds };
}

test('two idle ends say nothing and doubt nothing', () => {
  const { ends, state, say, seconds } = pair();
  say(0, false);
  seconds(300);
  expect(state.keepAlives).toBe(1);
  expect(ends.map((end) => end.isSuspect)).toEqual([false, false]);
});

test('a request that is answered late is no reason for doubt, because the other end says that it is there', () => {
  const { ends, state, say, seconds } = pair();
  say(0, false);
  state.waiting = [true, true];
  seconds(60);
  expect(ends.map((end) => end.isSuspect)).toEqual([false, false]);
});

test('when the cable is cut, who waits for blocks and who sent some both doubt within seconds', () => {
  const { ends, state, say, seconds } = pair();
  say(0, false);
  seconds(10);
  state.isCut = true;
  state.waiting = [true, false];
  say(1, false);
  seconds(3);
  expect(ends.map((end) => end.isSuspect)).toEqual([false, false]);
  seconds(1);
  expect(ends.map((end) => end.isSuspect)).toEqual([true, true]);
});

test('the first byte ends all doubt', () => {
  const { ends, state, say, seconds } = pair();
  state.isCut = true;
  say(0, false);
  seconds(10);
  expect(ends[0].isSuspect).toBe(true);
  state.isCut = false;
  say(1, false);
  expect(ends[0].isSuspect).toBe(false);
});

test('who gave blocks asks once whether they came, and doubts when nothing is answered', () => {
  const { ends, state, seconds } = pair();
  const give = (): void => {
    ends[0].gave();
    if (state.isCut) return;
    ends[1].heard();
    ends[1].gotMessage();
  };
  give();
  seconds(300);
  expect([state.questions, ends[0].isSuspect]).toEqual([1, false]);
  state.isCut = true;
  give();
  // It was on its way already.
  ends[0].heard();
  seconds(6);
  expect([state.questions, ends[0].isSuspect]).toEqual([2, true]);
});
