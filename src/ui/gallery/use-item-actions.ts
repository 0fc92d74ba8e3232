import { useI18n } from 'vue-i18n';
import type { ItemView, Priority } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';

/** What a person can do with an item; failures are told in a corner. */
export function useItemActions() {
  const engine = useEngine();
  const notify = useNotify();
  const { t } = useI18n();
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

  const putBack = (item: ItemView) => attempt(() => engine.call((client) => client.items.restore(of(item))));

  return {
    /** Off the list of this device, at once; can be undone. Fails as the engine does. */
    async remove(item: ItemView, copy: 'keep' | 'delete'): Promise<void> {
      const { kept } = await engine.call((client) => client.items.remove({ ...of(item), copy }));
      notify.undoable(t('item.removed', { name: item.name }), () => putBack(item));
      if (kept > 0) notify.warning(t('item.kept', kept), t('item.keptText'));
    },
    /** Off the lists of all members, at once; can be undone. Fails as the engine does. */
    async deleteForEverybody(item: ItemView): Promise<void> {
      await engine.call((client) => client.items.remove({ ...of(item), copy: 'keep', forEverybody: true }));
      notify.undoable(t('item.deleted', { name: item.name }), () => putBack(item));
    },
    putBack,
    /** Reads the whole item again and says what came of it. */
    recheck: (item: ItemView) =>
      attempt(async () => {
        const { damaged, item: now } = await engine.call((client) => client.items.recheck(of(item)));
        if (damaged === 0) notify.success(t('item.intact', { name: item.name }));
        else if (now.state === 'changed') notify.warning(t('item.state.changed'), t('item.changedText'));
        else notify.warning(t('item.damaged', { name: item.name }), t('item.damagedText'));
      }),
    download: (item: ItemView) => attempt(() => engine.call((client) => client.items.get(of(item)))),
    /** One file of a folder, and what was chosen of it before. */
    downloadFile: (item: ItemView, file: number) =>
      attempt(() => engine.call((client) => client.items.get({ ...of(item), files: [file] }))),
    setPriority: (item: ItemView, priority: Priority) =>
      attempt(() => engine.call((client) => client.items.setPriority({ ...of(item), priority }))),
    pause: (item: ItemView) => attempt(() => engine.call((client) => client.items.pause(of(item)))),
    resume: (item: ItemView) => attempt(() => engine.call((client) => client.items.resume(of(item)))),
    /** Shares the edited file as it is now: our own in place of what it was, that of others beside it. */
    shareVersion: (item: ItemView) => attempt(() => engine.call((client) => client.items.shareVersion(of(item)))),
    /** The edited copy is left alone, and nobody gets it. */
    keepEdited: (item: ItemView) => attempt(() => engine.call((client) => client.items.keepEdited(of(item)))),
    /** Lets other programs fetch it, with the .torrent file that is saved in the folder. Fails as the engine does. */
    async openToPrograms(item: ItemView, folder: string): Promise<void> {
      const input = { ...of(item), ...(folder === '' ? {} : { folder }) };
      const { file } = await engine.call((client) => client.items.openToPrograms(input));
      notify.success(t('item.opened', { name: item.name }), t('advanced.openedFile', { file }));
    },
    closeToPrograms: (item: ItemView) =>
      attempt(async () => {
        await engine.call((client) => client.items.closeToPrograms(of(item)));
        notify.success(t('item.closed', { name: item.name }));
      }),
    showInFolder: (item: ItemView) => attempt(() => engine.call((client) => client.items.showInFolder(of(item)))),
    openElsewhere: (item: ItemView, file = 0) =>
      attempt(() => engine.call((client) => client.items.openElsewhere({ ...of(item), file }))),
  };
}
