import { onTestFinished, expect, test } from 'vitest';
import { OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { outboxEntry, sphere as storedSphere } from '../../test/fixtures/storage-rows.ts';
import { toUtf8 } from '../base/bytes.ts';
import { parseBareJid } from '../base/id.ts';
import { systemRandom } from '../base/random.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import { encryptedMessage } from '../xmpp/message.ts';
import { EntrySealer } from './entry-sealer.ts';
import { MAX_STANZA_BYTES } from './fit-entries.ts';
import type { AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { attachment, encodeEnvelope } from './protocol/envelope.ts';

const audience = { kind: 'members' } as const;
const never = new AbortController().signal;
/** As many as a sphere may have, with device numbers as long as they get. */
const recipients: DeviceAddress[] = Array.from({ length: 150 }, (_, index) => ({
  jid: parseBareJid(`person-${Math.floor(index / 3)}@a.rather.long.domain.example.org`),
  deviceId: 2 ** 31 - 1 - index,
}));

/** Sealing for devices that all show the bundle of one. */
async function sealer() {
  const folder = new StorageFolder();
  const storage = folder.open();
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const devices = new OmemoDevices();
  const [{ omemo }, ben] = [await devices.add('ana@one.test'), await devices.add('ben@two.test')];
  const directory = { bundle: () => Promise.resolve(ben.omemo.bundle()) };
  const book = { expectedIdentity: () => undefined };
  return new EntrySealer({ storage, omemo, directory, book, random: systemRandom } as never);
}

function entry(sizes: Partial<Record<AttachmentKind, number>>): EnvelopeEntry {
  const attachments = Object.entries(sizes).map(([kind, size]) =>
    attachment(kind as AttachmentKind, systemRandom(size)),
  );
  return { bytes: systemRandom(1200), signature: systemRandom(64), attachments };
}

const rowOf = (entries: readonly EnvelopeEntry[], line: string | null) => ({
  ...outboxEntry,
  id: 7,
  audience,
  line,
  envelope: encodeEnvelope(entries),
});

test('the longest message, and an item with all that belongs to it, fit into a stanza for 150 new devices', async () => {
  const everything = entry({ 'media-key': 60, metainfo: 24_000, manifest: 4000, preview: 30_000 });
  const cases = [rowOf([entry({})], 'é'.repeat(4096)), rowOf([everything], `📽 ${'long name '.repeat(19)}· 1.2 GB`)];
  for (const row of cases) {
    const { message, missed } = await (await sealer()).seal(row, audience, recipients, never);
    expect(message.omemo.keys).toHaveLength(150);
    expect(message.omemo.keys.every(({ preKey }) => preKey)).toBe(true);
    expect(missed).toEqual([]);
    const { id, omemo, sealed, hasLine } = message;
    const stanza = encryptedMessage({
      to: storedSphere.room,
      type: 'groupchat',
      id,
      omemo,
      sealed: sealed ?? undefined,
      hasLine,
    });
    const bytes = toUtf8(stanza.toString()).length;
    expect(bytes).toBeLessThanOrEqual(MAX_STANZA_BYTES);
    expect(bytes).toBeGreaterThan(MAX_STANZA_BYTES / 2);
  }
});

test('what does not fit for 150 devices is refused before any key is used', async () => {
  const row = rowOf([entry({ text: 30_000 })], null);
  const sealing = await sealer();
  await expect(sealing.seal(row, audience, recipients.slice(0, 20), never)).resolves.toBeDefined();
  await expect(async () => await sealing.seal(row, audience, recipients, never)).rejects.toMatchObject({
    code: 'too-large',
  });
});
