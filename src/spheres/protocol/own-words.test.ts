import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { parseBareJid } from '../../base/id.ts';
import { buildAnyEvent } from './event.ts';
import type { Hello } from './hello.ts';
import { helloHeader } from './hello.ts';
import { buildComparedWord, readComparedWords } from './own-words.ts';

const { author } = createPerson('ben');
const jid = parseBareJid('eve@example.org');
const device = { deviceId: 7, identityKey: `05${'ab'.repeat(32)}`, isSame: true, atMs: 1000 };
const word = { jid, isAsked: false, devices: [device] };

const behind = (...rest: Hello['rest']): Hello => ({
  ...{ person: author.person, device: author.device.id, jid: parseBareJid('ben@example.org') },
  ...{ omemoDeviceId: 1, omemoIdentityKey: '', name: null, rest },
});
const said = (body: unknown, type = 'compared') => buildAnyEvent(author, helloHeader(author.person, 1000), type, body);

test('what was compared is read behind the introduction of the device that signed it', () => {
  expect(readComparedWords(behind(buildComparedWord(author, word, 2000)))).toEqual([word]);
});

test('what somebody else signed, what is of another type and what breaks a rule is passed over', () => {
  const { author: stranger } = createPerson('eve');
  const broken = [
    { ...word, jid: 'no address @' },
    { ...word, more: 1 },
    { ...word, devices: [{ ...device, identityKey: 'ab'.repeat(33) }] },
    { ...word, devices: [{ ...device, deviceId: 0 }] },
    { ...word, devices: [{ ...device, atMs: Number.MAX_SAFE_INTEGER }] },
    { ...word, devices: Array.from({ length: 33 }, (_, index) => ({ ...device, deviceId: index + 1 })) },
  ].map((body) => said(body));
  const rest = [buildComparedWord(stranger, word, 2000), said(word, 'introduce'), ...broken];
  expect(readComparedWords(behind(...rest))).toEqual([]);
});

test('of more devices than a word holds the newest are told, also of the longest address', () => {
  const devices = Array.from({ length: 50 }, (_, index) => ({ ...device, deviceId: 2 ** 30 + index, atMs: 2 ** 52 }));
  const long = parseBareJid(`${'a'.repeat(250)}@${Array.from({ length: 4 }, () => 'b'.repeat(60)).join('.')}`);
  const [read] = readComparedWords(behind(buildComparedWord(author, { jid: long, isAsked: true, devices }, 2000)));
  expect(read).toEqual({ jid: long, isAsked: true, devices: devices.slice(-32) });
});
