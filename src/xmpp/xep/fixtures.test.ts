import { globSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { toHex } from '../../base/bytes.ts';
import { child, Element, xml } from '../element.ts';
import { readEphemeral, readSealed } from '../sealed.ts';
import { StreamParser } from '../stream-parser.ts';
import { readForm } from './0004-data-forms.ts';
import { readDiscoInfo, readDiscoItems } from './0030-disco.ts';
import { readAffiliates, readArchivedAuthor, readMucPresence } from './0045-muc.ts';
import { readVCardPhoto } from './0054-vcard.ts';
import { readPubsubEvent } from './0060-pubsub.ts';
import { readWebPage } from './0066-out-of-band.ts';
import { readAvatarNews } from './0084-avatar.ts';
import { readChatState } from './0085-chat-states.ts';
import { capsVersion, readCapsTag } from './0115-caps.ts';
import { readVCardNews } from './0153-vcard-avatar.ts';
import { readNickNews } from './0172-nickname.ts';
import { readReceipt, readReceiptRequest } from './0184-receipts.ts';
import { readBlockList } from './0191-blocking.ts';
import { readDelay } from './0203-delay.ts';
import { readExternalServices } from './0215-external-services.ts';
import { readDirectInvitation } from './0249-direct-invitation.ts';
import { readCarbon } from './0280-carbons.ts';
import { readMovedFrom } from './0283-moved.ts';
import { readForwarded } from './0297-forwarding.ts';
import { readCorrected } from './0308-correction.ts';
import { readArchiveEntry, readArchivePage } from './0313-mam.ts';
import { isMarkable, readDisplayed } from './0333-markers.ts';
import { readOriginId, readStanzaId } from './0359-stanza-ids.ts';
import {
  bundleElement,
  deviceList,
  omemoElement,
  readBundle,
  readDeviceList,
  readDeviceListNews,
  readOmemoMessage,
} from './0384-omemo.ts';
import { readOccupantId } from './0421-occupant-id.ts';
import { readRetracted } from './0424-retraction.ts';
import { readFallbackRange } from './0428-fallback.ts';
import { readReactions } from './0444-reactions.ts';
import { readAnswered } from './0461-replies.ts';

type Reader = (stanza: Element, argument: string) => unknown;

const readers: Readonly<Record<string, Reader>> = {
  isMarkable,
  readAnswered,
  readAvatarNews,
  readChatState,
  readCorrected,
  readDisplayed,
  readFallbackRange,
  readNickNews,
  readReactions,
  readReceipt,
  readReceiptRequest,
  readRetracted,
  readVCardNews,
  readVCardPhoto,
  capsVersion: (stanza) => capsVersion(readDiscoInfo(stanza)),
  readAffiliates,
  readArchivedAuthor,
  readArchiveEntry,
  readArchivePage,
  readBlockList,
  readBundle: (stanza) => readBundle(child(stanza, 'bundle')),
  readCapsTag,
  readCarbon,
  readDelay,
  readDeviceListNews,
  readDirectInvitation,
  readDiscoInfo,
  readDiscoItems,
  readEphemeral,
  readExternalServices,
  readForm: (stanza, name) => readForm(child(stanza, name)),
  readForwarded,
  readMovedFrom,
  readMucPresence,
  readOccupantId,
  readOmemoMessage,
  readOriginId,
  readPubsubEvent,
  readSealed,
  readStanzaId,
  readWebPage: (stanza, name) => readWebPage(child(stanza, name)),
};

const folder = 'test/fixtures/xep';
const names = globSync('**/*.xml', { cwd: folder }).map((file) => file.replace(/\.xml$/, ''));

function parse(text: string): Element {
  const parser = new StreamParser();
  const found: Element[] = [];
  parser.on('element', (element: Element) => found.push(element));
  const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
  parser.write(Buffer.from(header + text));
  if (found[0] === undefined) throw new Error('the fixture is no stanza');
  return found[0];
}

/** Bytes as hex, elements as XML, undefined as null: what JSON can hold. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Element) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

describe('reading fixtures', () => {
  test.each(names.toSorted())('%s', (name) => {
    const {
      reader,
      with: [argument = ''],
      gives,
    } = JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
    const stanza = parse(readFileSync(`${folder}/${name}.xml`, 'utf8'));
    expect(plain(readers[reader]?.(stanza, argument))).toEqual(gives);
  });

  test('each reader has one', () => {
    const used = names.map((name) => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')).reader);
    expect(new Set(used)).toEqual(new Set(Object.keys(readers)));
  });
});

const id = fc.integer({ min: 1, max: 0x7fff_ffff });
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const publicKey = bytes(32).map((key) => Uint8Array.of(5, ...key));
const overWire = (element: Element): Element => parse(xml('message', {}, element).toString());

describe('what is written is read again', () => {
  test('for OMEMO messages', () => {
    const key = fc.record({
      deviceId: id,
      preKey: fc.boolean(),
      data: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    });
    const message = fc.record({
      senderDeviceId: id,
      keys: fc.array(key, { maxLength: 20 }),
      iv: fc.oneof(bytes(12), bytes(16)),
      payload: fc.option(fc.uint8Array({ maxLength: 300 })),
    });
    const property = fc.property(message, (record) => {
      expect(readOmemoMessage(overWire(omemoElement(record)))).toEqual(record);
    });
    fc.assert(property, { numRuns: fuzzRuns(100) });
  });

  test('for bundles', () => {
    const bundle = fc.record({
      identityKey: publicKey,
      signedPreKey: fc.record({ id, publicKey, signature: bytes(64) }),
      preKeys: fc.array(fc.record({ id, publicKey }), { maxLength: 20 }),
    });
    const again = (element: Element): unknown => readBundle(child(overWire(element), 'bundle'));
    const property = fc.property(bundle, (record) => {
      expect(again(bundleElement(record))).toEqual(record);
    });
    fc.assert(property, { numRuns: fuzzRuns(100) });
  });

  test('for device lists', () => {
    const again = (element: Element): unknown => readDeviceList(child(overWire(element), 'list'));
    const property = fc.property(fc.uniqueArray(id, { maxLength: 50 }), (ids) => {
      expect(again(deviceList(ids))).toEqual(ids);
    });
    fc.assert(property, { numRuns: fuzzRuns(100) });
  });
});

interface Edit {
  readonly at: number;
  readonly kind: 'attribute' | 'text' | 'empty' | 'twice' | 'rename';
  readonly name: string;
  readonly value: string;
}

/** Changes one element somewhere in the stanza. */
function change(stanza: Element, { at, kind, name, value }: Edit): void {
  const all = [stanza];
  for (const element of all) all.push(...element.getChildElements());
  const target = all[at % all.length] ?? stanza;
  if (kind === 'attribute') target.attrs[Object.keys(target.attrs)[at % 3] ?? name] = value;
  else if (kind === 'text') target.children = [value];
  else if (kind === 'empty') target.children = [];
  else if (kind === 'rename') target.name = name;
  else target.parent?.append(parse(target.toString()));
}

describe('a stranger’s stanza', () => {
  test('never makes a reader throw', () => {
    const texts = names.map((name) => readFileSync(`${folder}/${name}.xml`, 'utf8'));
    const edit: fc.Arbitrary<Edit> = fc.record({
      at: fc.nat({ max: 50 }),
      kind: fc.constantFrom('attribute', 'text', 'empty', 'twice', 'rename'),
      name: fc.constantFrom('item', 'x', 'id', 'jid', 'xmlns', '__proto__', 'toString'),
      value: fc.oneof(fc.string(), fc.constantFrom('', '-1', '1e9', '@', '/', 'a@b/c', 'AAAA', 'NaN', '9'.repeat(400))),
    });
    // The end of an archive page answers a question of ours: without it the query has failed.
    const all = Object.entries(readers).filter(([name]) => name !== 'readArchivePage');
    const property = fc.property(fc.constantFrom(...texts), fc.array(edit, { maxLength: 4 }), (text, edits) => {
      const stanza = parse(text);
      for (const one of edits) change(stanza, one);
      expect(() => all.map(([, reader]) => reader(stanza, 'family@rooms.a.test'))).not.toThrow();
    });
    fc.assert(property, { numRuns: fuzzRuns(500) });
  });
});
