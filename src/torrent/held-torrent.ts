import type { DeviceKey } from '../base/id.ts';
import type { FileIdentity, TorrentState } from '../contract/swarm.ts';
import type { Priority } from '../contract/views.ts';
import type { Link } from './link.ts';
import type { Appetite, HeldSpec, TorrentSpec } from './torrent-spec.ts';

/** A torrent, of a sphere where nothing else is said, while this process holds it, in use or not. */
export interface HeldTorrent<Spec extends HeldSpec = TorrentSpec> extends AsyncDisposable {
  readonly spec: Spec;
  /** Of the whole byte space. */
  readonly length: number;
  readonly bitfield: Uint8Array<ArrayBuffer>;
  readonly bytesHave: number;
  /** What the files are since this process completed them; null before that. */
  readonly identities: FileIdentity[] | null;
  readonly links: readonly Link[];
  /** Whether admitted devices may connect now. */
  readonly serves: boolean;
  readonly appetite: Appetite;
  /** Devices that told us that they hold everything, once we do too: neither has anything to call the other for. */
  readonly fullCopies: ReadonlySet<DeviceKey>;
  readonly state: TorrentState;
  /** Whether its pieces and files are what the spec says: nobody has to be told. */
  readonly isAsTold: boolean;
  bytesOf(link: Link): number;
  setPaused(paused: boolean): void;
  setPriority(priority: Priority): void;
  setWindow(reader: string, from: number, to: number): void;
}
