import { MAX_PARTS } from '../base/cut-text.ts';
import type { Storage } from '../storage/storage.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import { saysText } from './protocol/long-text.ts';
import type { SphereLog } from './protocol/sphere-log.ts';

interface Place {
  readonly log: Pick<SphereLog, 'get' | 'select'>;
  readonly storage: Pick<Storage, 'attachments'>;
}

/**
 * After an event has come: erases the words of parts that no text can end any more. So whoever begins texts without end fills nobody's
 * disk; the events stay, as all do.
 */
export function forgetUnclaimed({ log, storage }: Place, event: SignedEvent): void {
  for (let one: SignedEvent | undefined = event; one !== undefined;) {
    if (one.type === 'part' && isUnclaimed(log, one)) storage.attachments.remove(one.id, 'text');
    const { previous }: SignedEvent['header'] = one.header;
    const before: SignedEvent | undefined = previous === null ? undefined : log.get(previous);
    const isNear: boolean = event.header.sequence - (before?.header.sequence ?? 0) <= MAX_PARTS + 1;
    one = before?.type === 'part' && isNear ? before : undefined;
  }
}

/** Whether everything that may come behind it is here, and nothing of that takes it as its beginning. */
function isUnclaimed(log: Place['log'], part: KnownEvent<'part'>): boolean {
  const { device, sequence } = part.header;
  const range = { device, from: sequence + 1, to: sequence + MAX_PARTS };
  const behind = log.select({ ranges: [range], ids: [] });
  let line: readonly SignedEvent[] = [part];
  for (let distance = 1; distance <= MAX_PARTS; distance += 1) {
    const next = behind.filter(({ header }) => line.some(({ id }) => id === header.previous));
    const mayClaim = (event: SignedEvent): boolean =>
      event.type === 'unknown' || (saysText(event) && (event.body.parts ?? 0) >= distance);
    if (next.length === 0 || next.some(mayClaim)) return false;
    line = next.filter(({ type }) => type === 'part');
    if (line.length === 0) return true;
  }
  return true;
}
