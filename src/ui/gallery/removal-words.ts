import type { ItemView } from '../../contract/views.ts';
import { isArriving, isOwnFile } from './item-status.ts';

interface RemovalWords {
  /** Whether the copy may stay: a part of one is of no use to anybody. */
  readonly mayStay: boolean;
  /** Keys of the translations. */
  readonly text: string;
  readonly deleteCopy: string;
}

/** What a person is told before an item is taken off the list: nobody may lose the last copy without having read so. */
export function removalWords(item: ItemView): RemovalWords {
  const isLast = item.copies === 0;
  // What is being checked is all there, however much of it was read again.
  const isPartial = item.state !== 'verifying' && isArriving(item);
  const isOwn = isOwnFile(item);
  const mayStay = !isOwn && item.path !== null && !isPartial;
  const deleteCopy = isLast ? 'item.deleteCopyOnly' : 'item.deleteCopyText';
  if (isOwn) return { mayStay, deleteCopy, text: isLast ? 'item.stopSharingOnly' : 'item.stopSharingText' };
  if (isLast) {
    const isPart = item.path !== null && !mayStay;
    return { mayStay, deleteCopy, text: isPart ? 'item.removePartOnly' : 'item.removeOnly' };
  }
  return { mayStay, deleteCopy, text: item.path === null || mayStay ? 'item.removeText' : 'item.removePart' };
}
