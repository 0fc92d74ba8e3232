import { AppError } from '../base/errors.ts';
import { parseAudience } from '../spheres/audience.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * Before an account is left: an invitation, and an answer to one, is tied to it and would count for nothing from the next one.
 * `answers-wait` while one is still to be given or on its way.
 */
export function requireSettled({ invitations, outbox }: Pick<Storage, 'invitations' | 'outbox'>): void {
  const open = invitations.list('open').length;
  const underWay = outbox.queued().filter(({ sphereId, audience }) => {
    const { kind } = parseAudience(audience);
    return sphereId === null ? kind === 'known' : kind === 'account';
  }).length;
  if (open + underWay > 0) throw new AppError('answers-wait', 'invitations wait for an answer', { open, underWay });
}
