import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toUtf8 } from '../base/bytes.ts';
import { percentEncode } from './tracker-answer.ts';
import { parseTrackerQuestion } from './tracker-question.ts';

const INFO_HASH = '00ff20256bc3a44e1199aabbccddeeff00112233';
const head = (query: string, headers = 'Host: 192.0.2.7:6881\r\n'): Uint8Array =>
  toUtf8(`GET /announce?${query} HTTP/1.1\r\nUser-Agent: any\r\n${headers}\r\n`);
const hash = `info_hash=${percentEncode(INFO_HASH)}`;

test('an announcement says which torrent, where its program may be called, and by which address of ours it asks', () => {
  expect(parseTrackerQuestion(head(`${hash}&peer_id=x&port=51413&left=0&event=started`))).toEqual({
    infoHash: INFO_HASH,
    port: 51_413,
    isParting: false,
    asked: { host: '192.0.2.7', port: 6881 },
  });
  expect(parseTrackerQuestion(head(`port=0&${hash}&event=stopped`, 'host: home.example:80\r\n'))).toMatchObject({
    port: 0,
    isParting: true,
    asked: undefined,
  });
});

test('letters that need no percent sign are read as the bytes they are', () => {
  const letters = 'info_hash=abcdefghij%6Blmnopqr%20%ff&port=1';
  const expected = Buffer.from('abcdefghijklmnopqr \u00ff', 'latin1').toString('hex');
  expect(parseTrackerQuestion(head(letters))?.infoHash).toBe(expected);
});

test.each([
  ['no hash', 'port=1'],
  ['a short hash', 'info_hash=abc&port=1'],
  ['a broken escape', `info_hash=%zz${'a'.repeat(19)}&port=1`],
  ['no port', hash],
  ['an impossible port', `${hash}&port=70000`],
])('%s is no announcement', (_what, query) => {
  expect(parseTrackerQuestion(head(query))).toBeUndefined();
});

test('nothing but an announcement over HTTP is answered', () => {
  const query = `${hash}&port=1`;
  for (const line of [`POST /announce?${query} HTTP/1.1`, `GET /scrape?${query} HTTP/1.1`, `GET /announce?${query}`]) {
    expect(parseTrackerQuestion(toUtf8(`${line}\r\n\r\n`))).toBeUndefined();
  }
});

test('whatever is asked is read or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.string().map((query) => head(query)),
      ),
      (bytes) => {
        const question = parseTrackerQuestion(bytes);
        expect(question === undefined || question.infoHash.length === 40).toBe(true);
      },
    ),
  );
});
