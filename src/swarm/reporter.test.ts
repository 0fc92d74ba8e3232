import { expect, test } from 'vitest';
import { eventsOf } from '../../test/fixtures/events-of.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import { EventStream } from './event-stream.ts';
import type { ReportedTorrent } from './reporter.ts';
import { Reporter } from './reporter.ts';

const infoHash = parseInfoHash('1'.repeat(40));

function downloading(bitfield: Uint8Array<ArrayBuffer>): ReportedTorrent {
  const sphereId = parseSphereId('2'.repeat(64));
  const spec = { sphereId, infoHash, metainfo: new Uint8Array(), mediaKey: null, segments: [], bitfield: null };
  const rates = { downBps: 0, upBps: 0, peers: 0, seeds: 0 };
  return {
    spec: { ...spec, paused: false, background: true },
    state: { infoHash, state: 'downloading', error: null, bytesHave: 1, ...rates },
    bitfield,
    identities: null,
    isAsTold: false,
    links: [],
    bytesOf: () => 0,
  };
}

interface Telling extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly reporter: Reporter;
  readonly scope: Scope;
  /** What was told, with its time. */
  readonly told: string[];
}

function tellingOf(torrent: ReportedTorrent): Telling {
  const clock = new VirtualClock(0);
  const scope = new Scope({ log: silentLogger });
  const stream = new EventStream<SwarmEvent>();
  const told: string[] = [];
  const reporter = new Reporter({
    clock,
    stream,
    torrents: () => [torrent],
    active: () => [torrent],
    ofMembers: () => [torrent],
    port: () => 0,
    network: () => {
      throw new Error('nobody asks for a snapshot here');
    },
    spawn: (name, task) => scope.spawn(name, task),
  });
  const listening = (async () => {
    for await (const event of eventsOf(stream.read([], scope.signal))) {
      if (event.kind === 'have') told.push(`${clock.monotonic()}: ${event.bitfield[0]}`);
      if (event.kind === 'state') told.push(`${clock.monotonic()}: ${event.torrent.state}`);
    }
  })();
  const end = async (): Promise<void> => {
    await scope[Symbol.asyncDispose]();
    await listening;
  };
  return { clock, reporter, scope, told, [Symbol.asyncDispose]: end };
}

test('the first piece is told at once, those after it together a quarter of a second later', async () => {
  const torrent = downloading(Uint8Array.of(0));
  const telling = tellingOf(torrent);
  const { clock, reporter, told } = telling;
  const gains = async (bits: number, afterMs: number): Promise<void> => {
    await clock.advance(afterMs);
    torrent.bitfield[0] = bits;
    reporter.changed(torrent, { kind: 'have' });
    await clock.advance(0);
  };
  await gains(0x80, 1000);
  await gains(0xc0, 10);
  await gains(0xe0, 10);
  await clock.advance(1000);
  await gains(0xf0, 0);
  await gains(0xf8, 10);
  reporter.forget(torrent);
  await clock.advance(1000);
  expect(told).toEqual(['1000: 128', '1250: 224', '2020: 240']);
  await telling[Symbol.asyncDispose]();
});

test('that nothing more is wanted is told after the pieces that it speaks of, not a quarter of a second before', async () => {
  const torrent = downloading(Uint8Array.of(0));
  await using telling = tellingOf(torrent);
  const { clock, reporter, scope, told } = telling;
  scope.spawn('report', (signal) => reporter.run(signal));
  await clock.advance(990);
  torrent.bitfield[0] = 0x80;
  reporter.changed(torrent, { kind: 'have' });
  await clock.advance(0);
  torrent.bitfield[0] = 0xff;
  reporter.changed(torrent, { kind: 'have' });
  Object.assign(torrent.state, { state: 'partial' });
  await clock.advance(300);
  expect(told).toEqual(['990: 128', '1000: 255', '1000: partial']);
});

test('that the last piece was written is told at once: whoever knows of it after a kill writes it anew', async () => {
  const torrent = downloading(Uint8Array.of(0));
  await using telling = tellingOf(torrent);
  const { clock, reporter, told } = telling;
  for (const [bits, kind] of [
    [0x80, 'have'],
    [0xc0, 'have'],
    [0xe0, 'written'],
  ] as const) {
    torrent.bitfield[0] = bits;
    reporter.changed(torrent, { kind });
    await clock.advance(0);
  }
  await clock.advance(1000);
  expect(told).toEqual(['0: 128', '0: 224']);
});
