import type { BareJid, DeviceKey, PersonId } from '../../base/id.ts';
import type { EventHeader, KnownEvent, SignedEvent } from './event.ts';

/** Which device speaks for which person, from the `device` events that hold. */
export class Certificates {
  readonly #byDevice = new Map<DeviceKey, KnownEvent<'device'>[]>();

  /** `events` in canonical order; `isValid` tells whether the signatures of a certificate hold. */
  constructor(events: Iterable<SignedEvent>, isValid: (event: KnownEvent<'device'>) => boolean) {
    for (const event of events) {
      if (event.type !== 'device' || !isOwnCertificate(event) || !isValid(event)) continue;
      const { device } = event.header;
      const known = this.#byDevice.get(device);
      if (known === undefined) this.#byDevice.set(device, [event]);
      else known.push(event);
    }
  }

  /** Oldest first; a device may certify itself again when its account or what it vouches for changes. */
  of(device: DeviceKey): readonly KnownEvent<'device'>[] {
    return this.#byDevice.get(device) ?? [];
  }

  /** Who has proven last that the device is theirs, whether they are a member or not. */
  personOf(device: DeviceKey): PersonId | undefined {
    return this.of(device).at(-1)?.header.person;
  }

  has(event: KnownEvent<'device'>): boolean {
    return this.of(event.header.device).includes(event);
  }

  /** Whether the author's device is certified as one of theirs at that account. */
  names({ device, person }: Pick<EventHeader, 'device' | 'person'>, jid: BareJid): boolean {
    return this.of(device).some((entry) => entry.header.person === person && entry.body.jid === jid);
  }

  devices(): Iterable<DeviceKey> {
    return this.#byDevice.keys();
  }
}

/** A certificate is made known by the device it names, which so proves to hold its own key. */
function isOwnCertificate(event: KnownEvent<'device'>): boolean {
  return event.header.device === event.body.device && event.header.person === event.body.person;
}
