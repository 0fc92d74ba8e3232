import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import type { DeviceCertifier } from './device-certifier.ts';
import type { OwnDevices } from './own-devices.ts';
import { encodeEnvelope, entryOf, splitEntries } from './protocol/envelope.ts';
import type { Author } from './protocol/event.ts';
import type { Hello } from './protocol/hello.ts';
import { buildHello } from './protocol/hello.ts';
import type { ComparedWord } from './protocol/own-words.ts';
import { buildComparedWord, readComparedWords } from './protocol/own-words.ts';
import type { SphereList } from './sphere-list.ts';

interface OwnWordsDeps {
  readonly storage: Storage;
  readonly list: Pick<SphereList, 'all'>;
  readonly devices: Pick<OwnDevices, 'isEnded' | 'isEnding'>;
  readonly certifier: Pick<DeviceCertifier, 'certificate'>;
  readonly author: Author;
  readonly own: BareJid;
  readonly said: {
    /** Of these accounts, or of all. */
    words(accounts?: readonly BareJid[]): readonly ComparedWord[];
    hear(word: ComparedWord): void;
  };
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
}

/** As in what is passed on of a sphere: room for base64 and the header in a stanza of 64 KiB, and for the introduction. */
const MAX_GROUP_BYTES = 34 * 1024;
/** To each device that makes itself known, which it does in each session, and when its person has said that another is theirs. */
const GIVEN = { burst: 6, intervalMs: 3_600_000 };

/**
 * What the person found when they compared devices of somebody holds on all of their computers. After the model of XEP-0450, in
 * sealed messages between these alone: of devices that the person key certifies, and that the person knows.
 */
export class OwnWords {
  readonly #deps: OwnWordsDeps;
  readonly #giving: RateLimit;

  constructor(deps: OwnWordsDeps) {
    this.#deps = deps;
    this.#giving = new RateLimit({ ...deps, ...GIVEN });
  }

  /** The person said something of the devices at an account. */
  said(jid: BareJid): void {
    const { storage, said } = this.#deps;
    const others = storage.ownDevices.list().filter((row) => this.#isServed(row));
    if (others.length > 0) this.#tell(others, said.words([jid]));
  }

  /** A device introduced itself: one of ours tells what it was told, or is to know what this one was. */
  heard(hello: Hello): void {
    const { storage, author, own, said } = this.#deps;
    const row = storage.ownDevices.get(hello.device);
    const isOurs = hello.person === author.person && hello.jid === own;
    if (!isOurs || row === undefined || !this.#isServed(row)) return;
    // As with what is said by it elsewhere: the person has yet to say that it is theirs, and then it tells again.
    if (row.state === 'known') for (const word of readComparedWords(hello)) said.hear(word);
    if (hello.rest.length === 0 && this.#giving.take(hello.device)) this.#tell([row], said.words());
  }

  #isServed({ device, jid, state }: OwnDeviceRow): boolean {
    const { devices, list, own } = this.#deps;
    if (devices.isEnded || jid !== own || devices.isEnding(device)) return false;
    return (state === 'new' || state === 'known') && !list.all().some((one) => one.state.endedDevices.has(device));
  }

  #tell(rows: readonly OwnDeviceRow[], words: readonly ComparedWord[]): void {
    const { storage, author, certifier, own, queued, clock } = this.#deps;
    if (words.length === 0) return;
    const devices = rows.map((row) => ({ deviceId: row.omemoDeviceId, identityKey: row.omemoIdentityKey }));
    const audience: Audience = { kind: 'known', jid: own, devices };
    const atMs = clock.now();
    const hello = buildHello(author, certifier.certificate(), atMs);
    const entries = words.map((word) => entryOf(buildComparedWord(author, word, atMs)));
    storage.transaction(() => {
      for (const group of splitEntries(entries, MAX_GROUP_BYTES)) {
        storage.outbox.add({
          ...{ sphereId: null, to: own, eventId: hello.id, audience, line: null, state: 'queued', attempts: 0 },
          envelope: encodeEnvelope([entryOf(hello), ...group]),
          atMs,
        });
      }
    });
    queued();
  }
}
