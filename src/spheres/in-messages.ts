import type { FedTorrent } from './fed-torrent.ts';

/** Not so long that the process answers nothing else meanwhile. */
const MOST_IN_MESSAGE = 500;
const MESSAGE_BYTES = 4 * 1024 * 1024;

/** Torrents as they are told to the swarm process, so many at once. */
export function* inMessages(specs: readonly FedTorrent[]): Generator<FedTorrent[]> {
  let message: FedTorrent[] = [];
  let bytes = 0;
  for (const spec of specs) {
    if (message.length === MOST_IN_MESSAGE || (message.length > 0 && bytes + spec.metainfo.length > MESSAGE_BYTES)) {
      yield message;
      message = [];
      bytes = 0;
    }
    message.push(spec);
    bytes += spec.metainfo.length;
  }
  if (message.length > 0) yield message;
}
