import { hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { People } from '../people/people.ts';
import { Comeback } from '../spheres/comeback.ts';
import { DeviceCertifier } from '../spheres/device-certifier.ts';
import type { ComparedLogs } from '../spheres/device-ends.ts';
import type { DeviceDirectory } from '../spheres/device-directory.ts';
import { OwnDevices } from '../spheres/own-devices.ts';
import { OwnWords } from '../spheres/own-words.ts';
import type { ComparedWord } from '../spheres/protocol/own-words.ts';
import { ReadArchives } from '../spheres/read-archives.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { SphereAdoption } from '../spheres/sphere-adoption.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { VaultStore } from '../spheres/vault.ts';
import { Vault } from '../spheres/vault.ts';
import type { Storage } from '../storage/storage.ts';
import type { OwnIdentity } from './own-identity.ts';
import { Warnings } from './warnings.ts';

interface DevicesDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly directory: DeviceDirectory;
  readonly omemo: Omemo;
  readonly identity: OwnIdentity;
  readonly own: BareJid;
  readonly rooms: Pick<Rooms, 'keepJoined' | 'isCaughtUp' | 'isGone' | 'listed' | 'present' | 'occupants'>;
  readonly makeFolder: (name: string) => Promise<string>;
  readonly onInvitation: (id: string) => void;
  readonly logs: () => ComparedLogs;
  readonly vaultStore: VaultStore;
  readonly isOnline: () => boolean;
  readonly people: Pick<People, 'fingerprints' | 'hear'>;
  readonly queued: () => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Everything that makes this installation one of several of its person. */
export function openDevices(deps: DevicesDeps): {
  readonly certifier: DeviceCertifier;
  readonly devices: OwnDevices;
  readonly vault: Vault;
  readonly ownWords: OwnWords;
} {
  const { identity, people, log } = deps;
  const { author, person } = identity;
  const certifier = new DeviceCertifier({ ...deps, author, person });
  const comeback = new Comeback(deps);
  const adoption = new SphereAdoption({ ...deps, certifier, person: person.id, log: log.child('adoption') });
  const archives = new ReadArchives(deps);
  const rooms = {
    isCaughtUp: (room: BareJid) => archives.isRead(room),
    listed: (room: BareJid) => deps.rooms.listed(room),
    present: (room: BareJid) => deps.rooms.present(room),
    occupants: (room: BareJid) => deps.rooms.occupants(room),
  };
  const isReadForNow = (sphere: Sphere): boolean => archives.isReadForNow(sphere.row.room);
  const logs: ComparedLogs = {
    isGathered: (...of) => deps.logs().isGathered(...of),
    isComplete: (...of) => isReadForNow(of[0]) && deps.logs().isComplete(...of),
    isExhausted: (...of) => isReadForNow(of[0]) && deps.logs().isExhausted(...of),
    lackOf: (...of) => deps.logs().lackOf(...of),
  };
  const devices = new OwnDevices({
    ...{ ...deps, rooms, logs: () => logs, adoption, certifier, comeback, author, log: log.child('devices') },
    // The name that people see in their own network anyway.
    defaultName: hostname().split('.', 1)[0] ?? '',
  });
  const said = {
    words: (accounts?: readonly BareJid[]) => people.fingerprints.words(accounts),
    hear: (word: ComparedWord) => people.hear(word),
  };
  const ownWords = new OwnWords({ ...deps, devices, certifier, author, said });
  const vault = new Vault({
    ...{ ...deps, store: deps.vaultStore, log: log.child('vault') },
    isEnded: () => devices.isEnded,
    onRolledBack: () => {
      Warnings.add(deps.storage, 'vault-old');
      devices.onChange.emit();
    },
    offered: (offer) => devices.offered(offer),
  });
  return { certifier, devices, vault, ownWords };
}
