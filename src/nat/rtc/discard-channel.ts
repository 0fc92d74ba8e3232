import type { NativeChannel } from './native-rtc.ts';

const discarded = new Set<NativeChannel>();

/** Closes a channel that nobody uses. The library crashes at its end over one that was collected before it closed. */
export function discardChannel(channel: NativeChannel): void {
  discarded.add(channel);
  channel.onClosed(() => discarded.delete(channel));
  channel.close();
}
