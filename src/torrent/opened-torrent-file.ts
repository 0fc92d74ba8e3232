// BEP 3: metainfo files; BEP 12: several trackers
import { concatBytes, toUtf8 } from '../base/bytes.ts';
import { encode } from './bencode/bencode.ts';

/** `d`, with which the metainfo of an item begins. */
const BEGINNING = 1;

/**
 * The .torrent file of a plain item that is open to other programs: its info dictionary as it is, so that it is the same
 * torrent, and our own trackers. `endpoints`: `host:port`, the one to be asked first in front; one at least.
 */
export function openedTorrentFile(metainfo: Uint8Array, endpoints: readonly string[]): Uint8Array<ArrayBuffer> {
  const trackers = endpoints.map((endpoint) => `http://${endpoint}/announce`);
  const announce = encode({ announce: trackers[0] ?? '', 'announce-list': trackers.map((tracker) => [tracker]) });
  // `info` comes after both, as the order of keys wants it.
  return concatBytes(toUtf8('d'), announce.subarray(1, -1), metainfo.subarray(BEGINNING));
}
