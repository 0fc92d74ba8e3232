import { expect, test } from 'vitest';
import { FakeForker } from '../test/fixtures/fake-forker.ts';
import { VirtualClock } from '../test/fixtures/virtual-clock.ts';
import type { EngineState } from './engine-process.ts';
import { EngineProcess } from './engine-process.ts';

const READY = {
  kind: 'ready',
  origin: 'http://127.0.0.1:4000',
  port: 4000,
  token: 't',
  url: 'http://127.0.0.1:4000/?token=t',
};

function started() {
  const forker = new FakeForker();
  const clock = new VirtualClock();
  const states: EngineState['kind'][] = [];
  const sealer = { seal: async (text: string) => `sealed ${text}`, unseal: async () => null };
  const world = { forker, sealer, clock, random: () => 0 };
  const engine = new EngineProcess<string>({ profile: '/p', asksWho: false, ...world });
  engine.onState.on(({ kind }) => states.push(kind));
  engine.start();
  const child = (index = -1) => {
    const found = forker.children.filter(({ program }) => program === 'engine.js').at(index);
    if (found === undefined) throw new Error('no engine was started');
    return found;
  };
  return { forker, clock, states, engine, child };
}

test('the first start leaves port and token to the engine', () => {
  const { child, states } = started();
  expect(child().messages).toEqual([{ kind: 'start', profile: '/p', port: null, token: null, asksWho: false }]);
  child().emit('message', READY);
  expect(states).toEqual(['running']);
});

test('after a crash the engine comes back with the same port and token', async () => {
  const { child, clock, states, forker } = started();
  child().emit('message', READY);
  child().emit('exit', 139);
  await clock.advance(1000);
  expect(forker.children).toHaveLength(2);
  expect(child().messages[0]).toEqual({ kind: 'start', profile: '/p', port: 4000, token: 't', asksWho: false });
  child().emit('message', READY);
  expect(states).toEqual(['running', 'restarting', 'running']);
});

test('crash after crash is answered more and more slowly', async () => {
  const { child, clock, forker } = started();
  child().emit('message', READY);
  for (let round = 0; round < 12; round += 1) {
    child().emit('exit', 1);
    await clock.advance(15_000);
  }
  expect(forker.children).toHaveLength(13);
  child().emit('exit', 1);
  await clock.advance(5000);
  expect(forker.children).toHaveLength(13);
});

test('a port that somebody else took meanwhile is given up', async () => {
  const { child, clock } = started();
  child().emit('message', READY);
  child().emit('exit', 1);
  await clock.advance(1000);
  child().emit('message', { kind: 'failed', code: 'conflict', message: 'port 4000 cannot be used' });
  child().emit('exit', 1);
  await clock.advance(2000);
  expect(child().messages[0]).toMatchObject({ port: null, token: null });
});

test('an engine that cannot start says why and is not tried again', async () => {
  const { child, clock, engine, forker } = started();
  child().emit('message', { kind: 'failed', code: 'database-newer', message: 'newer' });
  child().emit('exit', 1);
  await clock.advance(60_000);
  expect(engine.state).toEqual({ kind: 'failed', code: 'database-newer' });
  expect(forker.children).toHaveLength(1);
});

test('the engine tells what only this computer has, and silence means nothing', async () => {
  const { child, clock, engine } = started();
  expect(await engine.onlyCopies()).toEqual([]);
  child().emit('message', READY);
  const asked = engine.onlyCopies();
  child().emit('message', { kind: 'only-copies', id: 0, names: ['film.mp4'] });
  expect(await asked).toEqual(['film.mp4']);

  const unanswered = engine.onlyCopies();
  await clock.advance(2000);
  expect(await unanswered).toEqual([]);
});

test('stopping asks the engine and does not start it again', async () => {
  const { child, clock, engine, states, forker } = started();
  child().emit('message', READY);
  const stopping = engine.stop();
  expect(child().messages.at(-1)).toEqual({ kind: 'stop' });
  child().emit('exit', 0);
  await stopping;
  await clock.advance(60_000);
  expect(states).toEqual(['running', 'stopped']);
  expect(forker.children).toHaveLength(1);
});

test('children are started for the engine, and their ends joined', async () => {
  const { child, forker } = started();
  child().emit('message', { kind: 'launch', id: 7, program: 'swarm-main.js', maxHeapMb: 512 });
  const [parent, swarm] = forker.children;
  expect(parent?.options.execArgv).toEqual(['--max-semi-space-size=4']);
  expect([swarm?.program, swarm?.options.args, swarm?.options.execArgv]).toEqual([
    'child.js',
    ['swarm-main.js'],
    ['--max-semi-space-size=2', '--no-parallel-scavenge', '--max-old-space-size=512'],
  ]);
  expect(swarm?.heard).toEqual([{ message: { kind: 'connect' }, ports: ['near 1'] }]);
  swarm?.emit('spawn');
  expect(child().heard.at(-1)).toEqual({
    message: { kind: 'launched', id: 7, pid: swarm?.pid },
    ports: ['far 1'],
  });
  swarm?.emit('exit', 3);
  expect(child().messages.at(-1)).toEqual({ kind: 'exited', id: 7, code: 3 });
});

test('only bundled programs are started', () => {
  const { child, forker } = started();
  for (const program of ['../evil.js', '/bin/sh', 'a/b.js', 'swarm-main.ts', '']) {
    child().emit('message', { kind: 'launch', id: 1, program, maxHeapMb: null });
  }
  expect(forker.children).toHaveLength(1);
});

test('secrets are sealed on behalf of the engine', async () => {
  const { child, clock } = started();
  child().emit('message', { kind: 'seal', id: 3, text: 'key' });
  child().emit('message', { kind: 'unseal', id: 4, text: 'foreign' });
  await clock.advance(0);
  expect(child().messages.slice(1)).toEqual([
    { kind: 'sealed', id: 3, text: 'sealed key' },
    { kind: 'sealed', id: 4, text: null },
  ]);
});
