import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { RtcLinkWorld, settle } from '../../../test/fixtures/rtc-link-world.ts';
import { AppError } from '../../base/errors.ts';
import type { RtcStream } from './rtc-stream.ts';

const never = new AbortController().signal;

async function firstBytes(stream: RtcStream | undefined): Promise<string> {
  if (stream === undefined) throw new Error('there is no stream');
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  return String(bytes);
}

describe('a link between two devices', () => {
  test('connects when a stream is opened, and carries streams both ways over one connection', async () => {
    const world = new RtcLinkWorld();
    const stream = await world.low.link.open(never);
    stream.write('to high');
    const back = await world.high.link.open(never);
    back.write('to low');
    await settle();
    expect(await firstBytes(world.high.accepted[0])).toBe('to high');
    expect(await firstBytes(world.low.accepted[0])).toBe('to low');
    expect(world.rtc.connections).toHaveLength(2);
    expect(world.low.states).toEqual(['connecting', 'connected']);
    expect(world.low.link.state).toEqual({ kind: 'connected', path: { kind: 'direct', address: '192.168.1.3:50001' } });
  });

  test('tells its description before its candidates, however the library calls back', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    await settle();
    expect(world.low.told.map(({ kind }) => kind)).toEqual(['offer', 'candidate']);
    expect(world.high.told.map(({ kind }) => kind)).toEqual(['answer', 'candidate']);
    expect(world.rtc.connections.map(({ candidates }) => candidates.length)).toEqual([1, 1]);
  });

  test('that both sides begin at once is one connection, and nobody waits in vain', async () => {
    const world = new RtcLinkWorld();
    const [low, high] = await Promise.all([world.low.link.open(never), world.high.link.open(never)]);
    await settle();
    expect([low.destroyed, high.destroyed]).toEqual([false, false]);
    expect(world.alive).toHaveLength(2);
    expect([world.low.accepted.length, world.high.accepted.length]).toEqual([1, 1]);
  });

  test('an offer that a device lost with its restart is made anew as soon as that device offers', async () => {
    const world = new RtcLinkWorld();
    world.isHeard = false;
    const high = world.high.link.open(never);
    await settle();
    await world.clock.advance(3_000);
    world.isHeard = true;
    const low = world.low.link.open(never);
    await settle();
    expect([world.low.link.state.kind, world.high.link.state.kind]).toEqual(['connected', 'connected']);
    expect([(await low).destroyed, (await high).destroyed]).toEqual([false, false]);
    expect(world.alive).toHaveLength(2);
  });

  test('an offer that was lost just before the other side offers is made anew, as no answer comes', async () => {
    const world = new RtcLinkWorld();
    world.isHeard = false;
    const high = world.high.link.open(never);
    await settle();
    await world.clock.advance(500);
    world.isHeard = true;
    const low = world.low.link.open(never);
    await settle();
    await world.clock.advance(1_000);
    await settle();
    expect([world.low.link.state.kind, world.high.link.state.kind]).toEqual(['connected', 'connected']);
    expect([(await low).destroyed, (await high).destroyed]).toEqual([false, false]);
    expect(world.alive).toHaveLength(2);
  });

  test('a session that neither opens nor fails is given up after seven seconds for a second one', async () => {
    const world = new RtcLinkWorld();
    world.rtc.isStuck = true;
    const opened = world.low.link.open(never);
    await settle();
    world.rtc.isStuck = false;
    await world.clock.advance(6_900);
    expect([world.low.told, world.rtc.connections.length]).toMatchObject([
      [{ kind: 'offer' }, { kind: 'candidate' }],
      2,
    ]);
    await world.clock.advance(200);
    expect((await opened).destroyed).toBe(false);
    expect(world.alive).toHaveLength(2);
  });

  test('a device that is started again every few seconds is answered each time', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    const [offer] = world.low.told;
    if (offer === undefined) throw new Error('nothing was offered');
    for (let start = 1; start <= 10; start += 1) {
      await world.clock.advance(5_000);
      // Each start offers more than once: before the relays are known, and after.
      const sessions = [1, 2].map((attempt) => `${start}${attempt}`.padStart(32, '0'));
      for (const session of sessions) world.high.link.receive({ ...offer, session });
      await settle();
      expect(world.high.told.at(-1)).toMatchObject({ session: sessions[1] });
    }
  });

  test('many who open at once share the connection', async () => {
    const world = new RtcLinkWorld();
    const streams = await Promise.all(Array.from({ length: 20 }, () => world.low.link.open(never)));
    await settle();
    expect([streams.length, world.high.accepted.length, world.rtc.connections.length]).toEqual([20, 20, 2]);
  });

  test('a session that hangs between two who both wait leaves neither of them in vain', async () => {
    const world = new RtcLinkWorld();
    world.rtc.isStuck = true;
    const opened = [world.low.link.open(never), world.high.link.open(never)];
    await settle();
    world.rtc.isStuck = false;
    await world.clock.advance(7_000);
    await settle();
    expect((await Promise.all(opened)).map(({ destroyed }) => destroyed)).toEqual([false, false]);
    expect(world.alive).toHaveLength(2);
  });

  test('a line on which it takes fifteen seconds connects', async () => {
    const world = new RtcLinkWorld();
    world.rtc.isStuck = true;
    const opened = world.low.link.open(never);
    await world.clock.advance(7_000);
    await settle();
    await world.clock.advance(15_000);
    for (const connection of world.alive) connection.openAnchor();
    expect((await opened).destroyed).toBe(false);
  });

  test('that nobody answers fails after half a minute, and opening again tries again', async () => {
    const world = new RtcLinkWorld();
    world.isHeard = false;
    const failed = world.low.link.open(never).catch((error: unknown) => error);
    await world.clock.advance(27_000);
    expect(await failed).toMatchObject({ code: 'timed-out' });
    expect([world.low.states, world.alive.length]).toEqual([['connecting', 'failed'], 0]);
    world.isHeard = true;
    expect((await world.low.link.open(never)).destroyed).toBe(false);
  });

  test('what ends in its first moments is made once more, and not twice', async () => {
    const world = new RtcLinkWorld();
    world.isHeard = false;
    const opened = world.low.link.open(never);
    await settle();
    world.isHeard = true;
    for (const connection of world.alive) connection.tell('failed');
    expect((await opened).destroyed).toBe(false);
    const other = new RtcLinkWorld();
    other.isHeard = false;
    const failed = other.low.link.open(never).catch((error: unknown) => error);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await settle();
      for (const connection of other.alive) connection.tell('failed');
    }
    expect(await failed).toMatchObject({ code: 'timed-out' });
    expect(other.rtc.connections).toHaveLength(2);
  });

  test('who offers names the addresses of its own network after the answer only', async () => {
    const world = new RtcLinkWorld();
    const order: string[] = [];
    for (const [name, { link }] of [
      ['low', world.low],
      ['high', world.high],
    ] as const) {
      const receive = link.receive.bind(link);
      link.receive = (signal) => {
        order.push(`${name} hears ${signal.kind}`);
        receive(signal);
      };
    }
    await world.low.link.open(never);
    await settle();
    expect(order.indexOf('high hears candidate')).toBeGreaterThan(order.indexOf('low hears answer'));
  });

  test('gives up waiting when told to, and the connection is there for the next', async () => {
    const world = new RtcLinkWorld();
    const abort = new AbortController();
    const given = world.low.link.open(abort.signal).catch((error: unknown) => error);
    abort.abort(new AppError('cancelled', 'not needed any more'));
    expect(await given).toMatchObject({ code: 'cancelled' });
    await world.low.link.open(never);
    expect(world.rtc.connections).toHaveLength(2);
  });

  test('a broken connection ends its streams and is told; the next stream makes a new one', async () => {
    const world = new RtcLinkWorld();
    const stream = await world.low.link.open(never);
    await settle();
    for (const connection of world.alive) connection.tell('failed');
    await settle();
    expect([stream.destroyed, world.low.link.state.kind, world.high.link.state.kind]).toEqual([
      true,
      'failed',
      'failed',
    ]);
    await world.high.link.open(never);
    expect(world.alive).toHaveLength(2);
  });

  test('a device that starts anew replaces the connection it has forgotten', async () => {
    const world = new RtcLinkWorld();
    const lost = await world.high.link.open(never);
    world.isHeard = false;
    world.low.link[Symbol.dispose]();
    world.isHeard = true;
    await world.clock.advance(6_000);
    const reborn = new RtcLinkWorld();
    await reborn.low.link.open(never);
    const offer = reborn.low.told[0];
    if (offer !== undefined) world.high.link.receive(offer);
    expect([lost.destroyed, world.high.link.state.kind]).toEqual([true, 'connecting']);
  });

  test('is hung up after a minute without streams, on both sides', async () => {
    const world = new RtcLinkWorld();
    const stream = await world.low.link.open(never);
    await settle();
    await world.clock.advance(120_000);
    expect(world.low.link.state.kind).toBe('connected');
    stream.destroy();
    await settle();
    await world.clock.advance(59_000);
    expect(world.low.link.state.kind).toBe('connected');
    await world.clock.advance(2_000);
    await settle();
    expect([world.low.link.state.kind, world.high.link.state.kind, world.alive.length]).not.toContain('connected');
    expect(world.alive).toEqual([]);
  });

  test('tells when the path changes, and a relay from a direct path', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    const remote = { address: '2001:db8::7', port: 50_002, type: 'prflx' };
    world.rtc.pair = { local: { address: '11.22.33.10', port: 49_160, type: 'relay' }, remote };
    await world.clock.advance(2_000);
    expect(world.low.link.state).toEqual({
      kind: 'connected',
      path: { kind: 'relay', address: '[2001:db8::7]:50002' },
    });
    expect(world.low.states).toEqual(['connecting', 'connected', 'connected']);
    await world.clock.advance(10_000);
    expect(world.low.states).toHaveLength(3);
  });

  test('disposing ends everything and tells the other side', async () => {
    const world = new RtcLinkWorld();
    const stream = await world.low.link.open(never);
    await settle();
    world.low.link[Symbol.dispose]();
    await settle();
    expect([stream.destroyed, world.alive.length, world.high.link.state.kind]).toEqual([true, 0, 'failed']);
    await expect(world.low.link.open(never)).rejects.toMatchObject({ code: 'disconnected' });
  });

  test('a library that fails is a failed link, no crash', async () => {
    const world = new RtcLinkWorld();
    world.rtc.createConnection = () => {
      throw new Error('no more sockets');
    };
    await expect(world.low.link.open(never)).rejects.toMatchObject({ code: 'internal' });
    expect(world.low.link.state.kind).toBe('failed');
  });
});

describe('a hostile other device', () => {
  const session = 'ab'.repeat(16);

  test('stale, repeated and foreign signals are ignored', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    await settle();
    const [offer] = world.low.told;
    world.high.link.receive({ session, kind: 'end', text: '', mid: '' });
    world.high.link.receive({ session, kind: 'answer', text: 'x', mid: '' });
    world.high.link.receive({ session, kind: 'candidate', text: 'x', mid: '0' });
    if (offer !== undefined) world.high.link.receive(offer);
    await settle();
    expect([world.high.link.state.kind, world.rtc.connections.length]).toEqual(['connected', 2]);
  });

  test('a malformed description never reaches the library', async () => {
    const world = new RtcLinkWorld();
    world.high.link.receive({ session, kind: 'offer', text: 'v=0\r\nm=audio 9 RTP/AVP 0\r\n', mid: '' });
    await settle();
    expect([world.rtc.connections.length, world.high.link.state.kind]).toEqual([0, 'failed']);
    expect(world.high.told).toEqual([{ session, kind: 'end', text: '', mid: '' }]);
  });

  test('no more than thirty-two candidates are tried', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    await settle();
    const id = world.low.told[0]?.session ?? '';
    for (let index = 0; index < 100; index += 1) {
      const text = `candidate:1 1 UDP 5 192.168.1.${index} 50000 typ host`;
      world.high.link.receive({ session: id, kind: 'candidate', text, mid: '0' });
    }
    expect(world.rtc.connections.map(({ candidates }) => candidates.length)).toEqual([1, 32]);
  });

  test('offers without end make no more connections than a device takes that is started again and again', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    const [offer] = world.low.told;
    world.isHeard = false;
    for (let index = 0; index < 200; index += 1) {
      const id = index.toString(16).padStart(32, '0');
      if (offer !== undefined) world.high.link.receive({ ...offer, session: id });
    }
    expect(world.rtc.connections.length).toBeLessThanOrEqual(2 + 24);
    expect(world.alive.length).toBeLessThanOrEqual(2);
  });

  test('streams that wait for admission are bounded, and refused ones leave nothing', async () => {
    const world = new RtcLinkWorld();
    world.admit = () => new Promise(() => undefined);
    const streams = await Promise.all(Array.from({ length: 40 }, () => world.low.link.open(never)));
    await settle();
    expect(world.high.accepted).toHaveLength(32);
    expect(streams.filter((stream) => stream.destroyed)).toHaveLength(8);
  });

  test('a stream that is not admitted is closed', async () => {
    const world = new RtcLinkWorld();
    world.admit = () => Promise.reject(new AppError('not-allowed', 'the caller is not proven'));
    const stream = await world.low.link.open(never);
    await once(stream, 'close');
    expect(world.high.accepted[0]?.destroyed).toBe(true);
  });

  test('channels of another kind are closed, and too many of them end the link for good', async () => {
    const world = new RtcLinkWorld();
    await world.low.link.open(never);
    await settle();
    const [offering] = world.alive;
    for (let index = 0; index < 257; index += 1) offering?.createDataChannel('', { protocol: 'other' });
    await settle();
    expect([world.high.accepted.length, world.high.link.state.kind]).toEqual([1, 'failed']);
    const before = world.rtc.connections.length;
    const again = world.low.link.open(never).catch((error: unknown) => error);
    await world.clock.advance(27_000);
    expect([await again, world.rtc.connections.length]).toEqual([
      expect.objectContaining({ code: 'timed-out' }),
      before + 2,
    ]);
  });
});
