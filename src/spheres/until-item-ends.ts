import type { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { ErrorView } from '../contract/views.ts';

/** Resolves once `end` says that the item is as it is to be; rejects with the error that keeps it from that. */
export async function untilItemEnds(
  onItem: Emitter<ItemId>,
  itemId: ItemId,
  end: () => 'done' | ErrorView | null,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const check = (): void => {
    const now = end();
    if (now === 'done') ended.resolve();
    else if (now !== null) ended.reject(new AppError(now.code, now.message));
  };
  const stop = onItem.on((changed) => changed === itemId && check());
  try {
    check();
    await Promise.race([ended.promise, untilAborted(signal)]);
  } finally {
    stop();
  }
}
