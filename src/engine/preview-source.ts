import { errorCode } from '../base/errors.ts';
import type { EventId, ItemId } from '../base/id.ts';
import { parseItemId } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { PortraitTools } from '../people/portraits.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import type { FileSegment } from '../torrent/byte-space.ts';
import type { AccountHolder } from './account-holder.ts';
import type { PreviewSource } from './http-server.ts';

const NAME = /^([0-9a-f]{64})(?:-(\d{1,5}))?$/;
const SPHERE = /^sphere-([0-9a-f]{64})$/;
const PORTRAIT = /^portrait-([0-9a-f]{40})$/;
/** Of a big folder's pictures so many stay in memory, some ten kilobytes each; nothing of them is written anywhere. */
const KEPT = 500;

/**
 * Previews of the signed-in account's items: `<item>` as its sharer drew it, `<item>-<file>` drawn here when asked for;
 * `portrait-<id>`, what a person looks like; and `sphere-<event>`, what that event made a sphere look like, drawn anew here.
 */
export function previewsOf(holder: AccountHolder, media: Pick<MediaTools, 'preview'> & PortraitTools): PreviewSource {
  const kept = new RecentMap<string, Uint8Array>(KEPT);
  /** Pictures of spheres that could not be drawn: one that stalls the media process does so once. */
  const unusable = new RecentMap<string, true>(KEPT);
  const drawn = async (id: string, draw: () => Promise<{ readonly image: Uint8Array } | null>) => {
    const image = kept.get(id) ?? (await draw())?.image;
    // The one used longest ago makes room.
    if (image !== undefined) kept.set(id, image);
    return image;
  };
  return {
    async read(id, signal) {
      try {
        const [, portrait] = PORTRAIT.exec(id) ?? [];
        if (portrait !== undefined) return holder.session.storage.portraits.image(portrait);
        const [, sphere] = SPHERE.exec(id) ?? [];
        if (sphere !== undefined) {
          const bytes = holder.session.storage.attachments.get(sphere as EventId, 'picture');
          if (bytes === undefined || unusable.has(id)) return undefined;
          const image = await drawn(id, () => media.portrait(bytes, signal));
          if (image === undefined) unusable.set(id, true);
          return image;
        }
        const [, item = '', file] = NAME.exec(id) ?? [];
        const itemId = parseItemId(item);
        if (file === undefined) return holder.session.storage.attachments.get(itemId as never, 'preview');
        const path = pathOf(holder, itemId, Number(file));
        return path === undefined ? undefined : await drawn(id, () => media.preview(path, signal));
      } catch (error) {
        signal.throwIfAborted();
        // No item's id, or nobody signed in: there is no such picture.
        if (errorCode(error) === 'internal') throw error;
        return undefined;
      }
    },
  };
}

/** Where a file of a complete item lies on this disk. */
function pathOf(holder: AccountHolder, itemId: ItemId, index: number): string | undefined {
  const row = holder.session.storage.items.get(itemId);
  if (row?.state !== 'complete' && row?.state !== 'sharing') return undefined;
  return (row.layout ?? []).filter((part): part is FileSegment => part.kind === 'file')[index]?.path;
}
