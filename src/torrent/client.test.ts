import { connect } from 'node:net';
import type { Server } from 'node:net';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import type { LogEntry } from '../base/log.ts';
import { createLogger, silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { TorrentClient } from './client.ts';
import { MEMBERS, PINNED_VERSIONS, WebtorrentInside } from './webtorrent-inside.ts';

test('with the packages that are installed pieces travel in the fast lane', async () => {
  await using client = new TorrentClient({ log: silentLogger });
  expect(client.lane).toBeNull();
  expect([await client.load(), client.lane]).toEqual(['fast', 'fast']);
});

test.each([
  ['a torrent lacks a member', new WebtorrentInside({ ...MEMBERS, torrent: ['_gone'] })],
  ['a peer lacks a member', new WebtorrentInside({ ...MEMBERS, peer: ['_gone'] })],
  ['a wire lacks a member', new WebtorrentInside({ ...MEMBERS, wire: ['_gone'] })],
  ['webtorrent is another version', new WebtorrentInside(MEMBERS, { ...PINNED_VERSIONS, webtorrent: '3.0.22' })],
  ['a package cannot be found', new WebtorrentInside(MEMBERS, { ...PINNED_VERSIONS, 'no-such-package': '1.0.0' })],
])('when %s pieces travel by what webtorrent promises, and the log says so once', async (_, inside) => {
  const entries: LogEntry[] = [];
  const log = createLogger({ clock: systemClock, module: 'test', sink: (entry) => entries.push(entry) });
  await using client = new TorrentClient({ log, inside });
  expect([await client.load(), await client.load()]).toEqual(['stock', 'stock']);
  expect(entries.map(({ level }) => level)).toEqual(['warn']);
});

test('nobody gets an answer at the listener that webtorrent opens, and soon there is none', async () => {
  const servers: Server[] = [];
  const answers: Buffer[] = [];
  const closed = Promise.withResolvers<void>();
  const call = (message: unknown): void => {
    const { server } = message as { server: Server };
    servers.push(server);
    server.once('listening', () => {
      const { port } = server.address() as { port: number };
      const caller = connect(port, '127.0.0.1', () => caller.write('\u0013BitTorrent protocol'));
      caller.on('data', (bytes: Buffer) => answers.push(bytes)).on('error', () => undefined);
      caller.once('close', () => closed.resolve());
    });
  };
  subscribe('tracing:net.server.listen:asyncStart', call);
  await using client = new TorrentClient({ log: silentLogger });
  await client.load();
  unsubscribe('tracing:net.server.listen:asyncStart', call);
  await closed.promise;
  expect([servers.map(({ listening }) => listening), answers]).toEqual([[false], []]);
});
