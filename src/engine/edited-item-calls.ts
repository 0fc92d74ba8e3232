import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { ItemView } from '../contract/views.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { requireInSphere } from './require-in-sphere.ts';

type EditedItemCalls = Pick<AppServices['items'], 'shareVersion' | 'keepEdited'>;

/** What becomes of an item whose file was edited on this computer. */
export function editedItemCalls(deps: AppCallsDeps, view: (itemId: ItemId) => ItemView): EditedItemCalls {
  const { holder } = deps;
  return {
    async shareVersion({ sphereId, itemId }, signal) {
      requireInSphere(deps, sphereId, itemId);
      const { path, state, isPublic, plain, bytesHave, bytesWanted } = view(itemId);
      // What strangers have as well is no member's to make a version of.
      if (state !== 'changed' || path === null || isPublic) throw new AppError('conflict', 'no file was edited');
      if (bytesHave < bytesWanted) throw new AppError('conflict', 'the rest of it has not come yet', { itemId });
      const isBegun = holder.session.storage.shareJobs.list().some((job) => job.path === path);
      if (isBegun) throw new AppError('conflict', 'it is under way already', { itemId });
      const [id] = await holder.session.shares.share({ sphereId, paths: [path], plain }, signal);
      return { item: view(id ?? itemId) };
    },
    async keepEdited({ sphereId, itemId }) {
      requireInSphere(deps, sphereId, itemId);
      await holder.session.items.edits.keep(itemId);
      return { item: view(itemId) };
    },
  };
}
