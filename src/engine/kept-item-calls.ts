import { AppError } from '../base/errors.ts';
import type { ItemId, SphereId } from '../base/id.ts';
import type { ItemView } from '../contract/views.ts';
import { ItemDeletion } from '../spheres/item-deletion.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { itemHolders } from './item-holders.ts';
import { openOnDesktop } from './open-on-desktop.ts';
import { requireInSphere } from './require-in-sphere.ts';

const DONE = { ok: true as const };

type KeptItemCalls = Pick<
  AppServices['items'],
  'showInFolder' | 'pause' | 'resume' | 'remove' | 'restore' | 'recheck' | 'holders' | 'setPriority' | 'setLimits'
>;

/** What becomes of an item that is on this device. */
export function keptItemCalls(deps: AppCallsDeps, view: (itemId: ItemId) => ItemView): KeptItemCalls {
  const { holder, views } = deps;
  return {
    async showInFolder({ sphereId, itemId }) {
      requireInSphere(deps, sphereId, itemId);
      const { path } = view(itemId);
      if (path === null) throw new AppError('not-found', 'the item has no place on this disk yet');
      await openOnDesktop(holder.session.list.get(sphereId).row.folder);
      return DONE;
    },
    pause: (item, signal) => setPaused(deps, item, true, signal),
    resume: (item, signal) => setPaused(deps, item, false, signal),
    async remove({ sphereId, itemId, copy, forEverybody }, signal) {
      requireInSphere(deps, sphereId, itemId);
      if (forEverybody) new ItemDeletion(holder.session).delete(holder.session.items.row(itemId));
      const kept = await holder.session.items.remove(itemId, copy, signal);
      views.emitSphere(holder.session.list.get(sphereId));
      return { ...DONE, kept };
    },
    async restore({ sphereId, itemId }, signal) {
      requireInSphere(deps, sphereId, itemId);
      const row = holder.session.items.row(itemId);
      if (row.deletedAtMs > 0) new ItemDeletion(holder.session).undo(row);
      await holder.session.items.restore(itemId, signal);
      views.emitSphere(holder.session.list.get(sphereId));
      return { item: view(itemId) };
    },
    async setPriority({ sphereId, itemId, priority }) {
      requireInSphere(deps, sphereId, itemId);
      await holder.session.items.arrange(itemId, { priority });
      return DONE;
    },
    async setLimits({ sphereId, itemId, up, down }) {
      requireInSphere(deps, sphereId, itemId);
      const { items } = holder.session;
      const before = items.row(itemId).limits;
      const limits = { up: up ?? before.up, down: down ?? before.down };
      await items.arrange(itemId, { limits });
      return limits;
    },
    holders({ sphereId, itemId }) {
      const { items, list, rooms, names } = holder.session;
      const event = requireInSphere(deps, sphereId, itemId);
      const { bytes, copies } = view(itemId);
      const holders = itemHolders({ items, rooms, names }, list.get(sphereId), items.row(itemId), event);
      return Promise.resolve({ bytes, copies, holders });
    },
    async recheck({ sphereId, itemId }, signal) {
      requireInSphere(deps, sphereId, itemId);
      const damaged = await holder.session.items.recheck(itemId, signal);
      return { item: view(itemId), damaged };
    },
  };
}

async function setPaused(
  deps: AppCallsDeps,
  { sphereId, itemId }: { readonly sphereId: SphereId; readonly itemId: ItemId },
  isPaused: boolean,
  signal: AbortSignal,
): Promise<typeof DONE> {
  requireInSphere(deps, sphereId, itemId);
  await deps.holder.session.items.setPaused(itemId, isPaused, signal);
  return DONE;
}
