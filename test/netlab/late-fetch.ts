import { randomBytes } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { ITEM_BYTES, sha256 } from './cell.ts';
import { EngineWatch } from './engine-watch.ts';
import { LabWorld } from './lab-world.ts';

const PATIENCE_MS = 120_000;

/** A member whom nobody can call shares; the carrier, whom everybody can call, wants the item only much later. */
export interface LateFetch {
  /** The home of the member who shares. */
  readonly a: string;
  readonly carrier: string;
  readonly afterMs: number;
  /** Of the item, when it is not the usual size; behind its first part it is empty. */
  readonly bytes?: number;
  /** From the wish to the first verified piece. */
  readonly mostMs: number;
}

export async function runLateFetch({
  a,
  carrier,
  afterMs,
  bytes,
}: LateFetch): Promise<{ firstMs: number; isSame: boolean }> {
  const plan = {
    homes: { a, c: carrier },
    people: { sharer: 'a1', carrier: 'c1' },
    serveArguments: { carrier: ['--also-port', '443'] },
  };
  return await LabWorld.with(plan, async (world) => {
    const [sharer, late] = [world.person('sharer'), world.person('carrier')];
    const sphere = await world.sphere('Films', sharer, late);
    const file = path.join(world.lab.folder, 'film.bin');
    await writeFile(file, randomBytes(ITEM_BYTES));
    if (bytes !== undefined) await truncate(file, bytes);
    const id = await sharer.share(sphere, file);
    await late.item(sphere, id);
    await using watch = await EngineWatch.start(late);
    await delay(afterMs);
    const wish = performance.now();
    const ids = { sphereId: parseSphereId(sphere), itemId: parseItemId(id) };
    await late.ask((client) => client.items.get({ ...ids, wait: false }));
    const has = (): number => watch.items.get(id)?.bytesHave ?? 0;
    const first = await watch.until('the first piece', () => has() > 0, PATIENCE_MS);
    await watch.until('the whole item', () => watch.items.get(id)?.state === 'complete', PATIENCE_MS);
    const arrived = watch.items.get(id)?.path ?? '';
    return { firstMs: Math.round(first - wish), isSame: (await sha256(arrived)) === (await sha256(file)) };
  });
}
