import { expect, test } from 'vitest';
import { toHex, toUtf8 } from '../../base/bytes.ts';
import { parseBareJid } from '../../base/id.ts';
import type { Author } from './event.ts';
import { attachment } from './envelope.ts';
import { certifyDevice } from './certificate.ts';
import type { SignedEvent } from './event.ts';
import { buildHello, helloScope, readHello } from './hello.ts';
import type { PersonSigningKey } from './keys.ts';
import { signingKeyFromSeed } from './keys.ts';

const person: PersonSigningKey = signingKeyFromSeed(new Uint8Array(32).fill(1));
const device: Author['device'] = signingKeyFromSeed(new Uint8Array(32).fill(2));
const author: Author = { person: person.id, device };
const jid = parseBareJid('ana@example.org');
const omemoIdentityKey = Uint8Array.of(5, ...new Uint8Array(32).fill(3));
const account = { jid, omemoDeviceId: 7, omemoIdentityKey, sign: () => new Uint8Array(64) };
const hello = buildHello(author, certifyDevice({ person, device: device.id, vouched: [] }, account), 1000);
const sender = { jid, omemoIdentityKey: toHex(omemoIdentityKey) };
const isDeviceProven = (): boolean => true;
const delivered = (event: SignedEvent, name = 'kitchen') => [
  { event, attachments: [attachment('device-name', toUtf8(name))] },
];

test('a device introduces itself by its certificate, outside any sphere', () => {
  const read = readHello({ delivered: delivered(hello), sender, isDeviceProven });
  expect(read).toMatchObject({ person: person.id, device: device.id, jid, omemoDeviceId: 7, name: 'kitchen' });
  expect(hello.header.sphere).toBe(helloScope(person.id));
});

test('an introduction is refused from another account, another device, without proof, and by another person', () => {
  const refused = [
    { sender: { ...sender, jid: parseBareJid('eve@example.org') } },
    { sender: { ...sender, omemoIdentityKey: `05${'00'.repeat(32)}` } },
    { isDeviceProven: () => false },
    { delivered: delivered(buildHello({ person: person.id, device: person as never }, hello.body, 1000)) },
  ];
  for (const change of refused) {
    const input = { delivered: delivered(hello), sender, isDeviceProven, ...change };
    expect(() => readHello(input)).toThrow(expect.objectContaining({ code: 'forged' }));
  }
  const stranger = signingKeyFromSeed<Author['person']>(new Uint8Array(32).fill(9));
  const made = certifyDevice({ person: stranger, device: device.id, vouched: [] }, account);
  const forged = buildHello(author, { ...made, person: person.id }, 1000);
  expect(() => readHello({ delivered: delivered(forged), sender, isDeviceProven })).toThrow('another one');
});

test('a name is cut to what a line holds, and none is none', () => {
  const nameOf = (name: string) => readHello({ delivered: delivered(hello, name), sender, isDeviceProven })?.name;
  expect(nameOf('x'.repeat(500))).toHaveLength(80);
  expect(nameOf('  ')).toBeNull();
});
