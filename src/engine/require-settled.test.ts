import { expect, onTestFinished, test } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import type { EventId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Audience } from '../spheres/audience.ts';
import { openStorage } from '../storage/storage.ts';
import { requireSettled } from './require-settled.ts';

const ben = parseBareJid('ben@home.test');

function withQueued(audience: Audience) {
  const folder = new StorageFolder();
  const storage = openStorage(folder.deps());
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  storage.outbox.add({
    ...{ sphereId: null, to: ben, eventId: 'e'.repeat(64) as EventId, envelope: new Uint8Array(1), audience },
    ...{ line: null, state: 'queued', attempts: 0, atMs: 0 },
  });
  return () => requireSettled(storage);
}

test('an account is not left while an answer to an invitation is on its way: from the next one it would count for nothing', () => {
  expect(withQueued({ kind: 'known', jid: ben, devices: [] })).toThrow(
    expect.objectContaining({ code: 'answers-wait' }),
  );
});

test('an introduction hinders nobody: it is made anew', () => {
  expect(withQueued({ kind: 'account', jid: ben })).not.toThrow();
});
