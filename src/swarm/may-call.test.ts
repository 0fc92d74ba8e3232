import { expect, test } from 'vitest';
import { mayCallFrom, mayCallNear } from './may-call.ts';

const LOOPBACK = ['127.0.0.1:631', '127.8.8.8:80', '[::1]:631'];
const NOBODY = [
  '0.0.0.0:22',
  '[::]:22',
  '[::ffff:127.0.0.1]:22',
  '[::ffff:c0a8:101]:80',
  '[::127.0.0.1]:22',
  '224.0.0.251:5353',
  '[ff02::fb]:5353',
  '255.255.255.255:9',
  'localhost:22',
];
const ONE_LINK = ['169.254.169.254:80'];
const DEVICES = ['192.168.1.7:6881', '10.0.0.2:1', '100.64.0.9:1', '11.22.33.44:1', '[2a00:1450::1]:1', '[fd00::7]:1'];

test('an endpoint that a member names never leads to a service of this very machine', () => {
  const all = [...LOOPBACK, ...NOBODY, ...ONE_LINK, ...DEVICES];
  for (const listening of [[], ['0.0.0.0'], ['::'], ['192.168.1.9'], ['127.0.0.1', '192.168.1.9']]) {
    expect(all.filter(mayCallFrom(listening))).toEqual(DEVICES);
  }
});

test('who listens on loopback alone calls others there, and still nobody in disguise', () => {
  const all = [...LOOPBACK, ...NOBODY, ...ONE_LINK];
  expect(all.filter(mayCallFrom(['127.0.0.9']))).toEqual(LOOPBACK);
});

test('an address of one link means somebody only where it was heard', () => {
  const mayCall = mayCallFrom([]);
  const near = [...LOOPBACK, ...NOBODY, ...ONE_LINK].filter((endpoint) => mayCallNear(endpoint, mayCall));
  expect(near).toEqual(ONE_LINK);
});
