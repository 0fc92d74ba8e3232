import type { ItemView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';

/** What a person can do with an item; failures are told in a corner. */
export function useItemActions() {
  const engine = useEngine();
  const notify = useNotify();
  const of = (item: ItemView) => ({ sphereId: item.sphereId, itemId: item.id });

  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      notify.failure(error);
      return false;
    }
  }

  return {
    download: (item: ItemView) => attempt(() => engine.call((client) => client.items.get(of(item)))),
    pause: (item: ItemView) => attempt(() => engine.call((client) => client.items.pause(of(item)))),
    resume: (item: ItemView) => attempt(() => engine.call((client) => client.items.resume(of(item)))),
    /** Shares the file as it is now, as a new item. */
    shareAgain: (item: ItemView) =>
      attempt(async () => {
        if (item.path === null) return;
        const paths = [item.path];
        await engine.call((client) => client.items.share({ sphereId: item.sphereId, paths }));
      }),
    showInFolder: (item: ItemView) => attempt(() => engine.call((client) => client.items.showInFolder(of(item)))),
    openElsewhere: (item: ItemView, file = 0) =>
      attempt(() => engine.call((client) => client.items.openElsewhere({ ...of(item), file }))),
  };
}
