import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseInfoHash } from '../base/id.ts';
import { OpenedTracker } from './opened-tracker.ts';
import { parseAnswer } from './tracker-answer.ts';

const INFO_HASH = parseInfoHash('1'.repeat(40));
const OTHER = parseInfoHash('2'.repeat(40));
const OURS = { host: '192.0.2.7', port: 6881 };

function create() {
  const clock = new VirtualClock(0);
  const tracker = new OpenedTracker({ clock });
  const ask = (host: string, port: number, { infoHash = INFO_HASH, isParting = false, ours = OURS } = {}): string[] => {
    const answer = Buffer.from(tracker.answer({ infoHash, port, isParting, asked: undefined }, host, ours));
    expect(answer.toString('latin1')).toContain('HTTP/1.0 200 OK');
    return parseAnswer(new Uint8Array(answer.subarray(answer.indexOf('\r\n\r\n') + 4))).peers;
  };
  return { clock, tracker, ask };
}

test('whoever asks hears of us first, and of the others who asked for the same item', () => {
  const { ask } = create();
  expect(ask('198.51.100.1', 1001)).toEqual(['192.0.2.7:6881']);
  expect(ask('2001:db8::1', 1002, { infoHash: OTHER })).toEqual(['192.0.2.7:6881']);
  expect(ask('2001:db8::1', 1002)).toEqual(['192.0.2.7:6881', '198.51.100.1:1001']);
  expect(ask('198.51.100.2', 0)).toEqual([
    '192.0.2.7:6881',
    '198.51.100.1:1001',
    '[2001:0db8:0000:0000:0000:0000:0000:0001]:1002',
  ]);
  expect(ask('198.51.100.1', 1001, { ours: { host: '2001:db8::7', port: 6881 } })).toHaveLength(2);
});

test('who parts, is silent for long, or asked for an item that was closed is named no more', async () => {
  const { clock, tracker, ask } = create();
  ask('198.51.100.1', 1001);
  ask('198.51.100.1', 1001, { isParting: true });
  expect(ask('198.51.100.2', 1002)).toEqual(['192.0.2.7:6881']);
  await clock.advance(31 * 60_000);
  expect(ask('198.51.100.3', 1003)).toEqual(['192.0.2.7:6881']);
  tracker.keepOnly(new Set([OTHER]));
  expect(ask('198.51.100.4', 0)).toEqual(['192.0.2.7:6881']);
});

test('a household that makes ports up crowds out only its own', () => {
  const { ask } = create();
  ask('198.51.100.1', 1001);
  for (let port = 1; port <= 300; port += 1) ask('203.0.113.9', port);
  const named = ask('198.51.100.2', 0);
  expect(named).toContain('198.51.100.1:1001');
  expect(named.filter((endpoint) => endpoint.startsWith('203.0.113.9:'))).toHaveLength(16);
});
