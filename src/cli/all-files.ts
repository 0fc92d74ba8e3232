import type { ItemView } from '../contract/views.ts';
import type { EngineClient } from './connect.ts';

const TOGETHER = 5000;

/** An item with all of its files: the engine shows the first ones of a long list. */
export async function withAllFiles(client: EngineClient, item: ItemView, signal: AbortSignal): Promise<ItemView> {
  // The list itself may not be here yet.
  if (item.files.length === 0) return item;
  const files = [...item.files];
  while (files.length < item.fileCount) {
    const ids = { sphereId: item.sphereId, itemId: item.id };
    const page = await client.items.files({ ...ids, from: files.length, most: TOGETHER }, { signal });
    if (page.files.length === 0) break;
    files.push(...page.files);
  }
  return { ...item, files };
}
