import { expect, test } from 'vitest';
import { Quit } from './quit.ts';

function quitting(names: readonly string[], answers: boolean[] = []) {
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const quit = new Quit({
    onlyCopies: async () => names,
    confirm: async (shown) => {
      events.push(`asked about ${shown.join(', ')}`);
      return answers.shift() ?? promise;
    },
    stopEngine: async () => void events.push('engine stopped'),
    leave: () => void events.push('left'),
  });
  return { quit, events, answer: resolve };
}

test('nobody is asked when others have everything', async () => {
  const { quit, events } = quitting([]);
  await quit.request();
  expect(events).toEqual(['engine stopped', 'left']);
  expect(quit.hasLeft).toBe(true);
});

test('the only copy of something is named, and staying keeps the engine running', async () => {
  const { quit, events } = quitting(['film.mp4'], [false, true]);
  await quit.request();
  expect(events).toEqual(['asked about film.mp4']);
  expect(quit.hasLeft).toBe(false);

  await quit.request();
  expect(events.slice(1)).toEqual(['asked about film.mp4', 'engine stopped', 'left']);
});

test('asking to quit twice asks the person once', async () => {
  const { quit, events, answer } = quitting(['film.mp4']);
  const both = Promise.all([quit.request(), quit.request()]);
  answer(true);
  await both;
  expect(events).toEqual(['asked about film.mp4', 'engine stopped', 'left']);
});

test('the end of the session does not wait for an answer, and a late answer changes nothing', async () => {
  const { quit, events, answer } = quitting(['film.mp4']);
  const asking = quit.request();
  await Promise.resolve();
  await quit.now();
  expect(events).toEqual(['asked about film.mp4', 'engine stopped', 'left']);
  answer(true);
  await asking;
  await quit.now();
  expect(events).toHaveLength(3);
});

test('nobody is asked once the end has begun', async () => {
  const { quit, events } = quitting(['film.mp4']);
  const asking = quit.request();
  await Promise.all([quit.now(), asking]);
  expect(events).toEqual(['engine stopped', 'left']);
});
