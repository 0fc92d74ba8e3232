import { expect, test } from 'vitest';
import { readServer } from './read-server.ts';

test('a server without a port is reached at the usual one', () => {
  expect(readServer(' xmpp.example.org ')).toBe('xmpp.example.org:5222');
  expect(readServer('[2001:db8::1]')).toBe('[2001:db8::1]:5222');
});

test('a server with a port is taken as it is, and nothing stays nothing', () => {
  expect(readServer('xmpp.example.org:5223')).toBe('xmpp.example.org:5223');
  expect(readServer('[::1]:5222')).toBe('[::1]:5222');
  expect(readServer('  ')).toBe('');
});

test.each(['not a server', 'host:', 'host:0', 'host:70000', 'host:abc', ':5222', 'anna@example.org', 'https://x.org'])(
  '%s is no server',
  (text) => {
    expect(readServer(text)).toBeNull();
  },
);
