import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Manifest } from './protocol/manifest.ts';
import { verifyItem } from './verify-item.ts';

const never = new AbortController().signal;

test('an empty file that cannot be made is told as what it is, not as a failure of the program', async () => {
  const root = await mkdtemp(join(tmpdir(), 'verify-item-'));
  try {
    const file = { path: 'empty', bytes: 0, mime: '', headSha256: '', tailSha256: '' };
    const manifest = { files: [file] } as unknown as Manifest;
    const at = (path: string) => ({
      layout: [{ kind: 'file' as const, offset: 0, length: 0, path, root, identity: null }],
      chosen: [0],
    });
    await verifyItem(manifest, at(join(root, 'empty')), undefined, never);
    expect((await stat(join(root, 'empty'))).size).toBe(0);
    const gone = verifyItem(manifest, at(join(root, 'gone', 'empty')), undefined, never);
    await expect(gone).rejects.toMatchObject({ code: 'file-missing' });
  } finally {
    await rm(root, { recursive: true });
  }
});
