import { equalBytes } from '../base/bytes.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { DeviceAddress, OmemoBundle } from '../omemo/types.ts';
import type { KnownDeviceTable } from '../storage/known-device-table.ts';
import { errorCondition } from '../xmpp/stanza-error.ts';

/** The PEP nodes of OMEMO 0.3, bound to one connection. */
export interface DeviceNodes {
  /** Empty when the account publishes none. */
  deviceList(jid: BareJid, signal?: AbortSignal): Promise<readonly number[]>;
  bundle(jid: BareJid, deviceId: number, signal?: AbortSignal): Promise<OmemoBundle>;
  publishDeviceList(deviceIds: readonly number[], signal?: AbortSignal): Promise<void>;
  publishBundle(deviceId: number, bundle: OmemoBundle, signal?: AbortSignal): Promise<void>;
}

/** Why somebody cannot be reached, as far as servers tell: many say nothing. */
export type Trouble = 'nobody-there' | 'server-silent';

// RFC 6121 §8.5.1: what is said of an account that does not exist, and RFC 6120 §8.3.3: of a server that cannot be reached.
const TROUBLES: Readonly<Record<string, Trouble>> = {
  'service-unavailable': 'nobody-there',
  'recipient-unavailable': 'nobody-there',
  gone: 'nobody-there',
  'remote-server-not-found': 'server-silent',
  'remote-server-timeout': 'server-silent',
};

/** Without a subscription nobody tells us of a new list. */
const KEPT_MS = 5 * 60_000;
const KEPT_EMPTY_MS = 5_000;

interface DeviceDirectoryDeps {
  readonly nodes: DeviceNodes;
  readonly known: KnownDeviceTable;
  /** Whether nothing more is for a device of our own account, whatever its list says: who has it may put it back there. */
  readonly isGone?: (jid: BareJid, deviceId: number) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What servers say about other people's OMEMO devices. It never gives authority: see `recipients.ts`. */
export class DeviceDirectory {
  readonly #nodes: DeviceNodes;
  readonly #known: KnownDeviceTable;
  readonly #isGone: (jid: BareJid, deviceId: number) => boolean;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** What is known of why an account cannot be reached is different now. */
  readonly onTrouble: Emitter<BareJid>;
  /** An account lists these devices now. */
  readonly onListed: Emitter<{ readonly jid: BareJid; readonly deviceIds: readonly number[] }>;
  /** The device shows another identity key than it was met with: its server, or whoever made it anew, exchanged it. */
  readonly onSwapped: Emitter<DeviceAddress>;
  readonly #troubles = new Map<BareJid, Trouble>();
  readonly #lists = new Map<BareJid, { readonly list: Promise<readonly number[]>; readonly untilMs: number }>();

  constructor(deps: DeviceDirectoryDeps) {
    this.#nodes = deps.nodes;
    this.#known = deps.known;
    this.#isGone = deps.isGone ?? (() => false);
    this.#clock = deps.clock;
    this.#log = deps.log;
    const onError = (error: unknown): void => deps.log.error('directory listener failed', { error });
    this.onTrouble = new Emitter(onError);
    this.onListed = new Emitter(onError);
    this.onSwapped = new Emitter(onError);
  }

  /** The devices an account publishes; empty when it publishes none or shows them to nobody. */
  async deviceIds(jid: BareJid): Promise<readonly number[]> {
    const cached = this.#lists.get(jid);
    if (cached === undefined || cached.untilMs <= this.#clock.monotonic()) return await this.askDeviceIds(jid);
    return this.#withoutGone(jid, await cached.list);
  }

  /** The same, whatever was heard before: for messages that are sent once and must not miss a new device. */
  async askDeviceIds(jid: BareJid): Promise<readonly number[]> {
    // Without the caller's signal: several callers wait for this one answer.
    const asked = this.#ask(jid);
    this.#remember(jid, asked, KEPT_MS);
    asked.then(
      (deviceIds) => deviceIds.length === 0 && this.#remember(jid, asked, KEPT_EMPTY_MS),
      // A failed question must not answer later ones; the caller hears of it through `asked` itself.
      () => this.#lists.delete(jid),
    );
    return this.#withoutGone(jid, await asked);
  }

  /**
   * A notification told the account's new list. False when nobody has asked for it: strangers can send
   * notifications too, and would fill the memory.
   */
  learn(jid: BareJid, deviceIds: readonly number[]): boolean {
    if (!this.#lists.has(jid)) return false;
    this.#remember(jid, Promise.resolve(deviceIds), KEPT_MS);
    return true;
  }

  /** Why the account cannot be reached; null when nothing is known against it. */
  trouble(jid: BareJid): Trouble | null {
    return this.#troubles.get(jid) ?? null;
  }

  /** A message to the account came back. Nobody but those we asked about is remembered. */
  bounced(jid: BareJid, error: unknown): void {
    if (this.#lists.has(jid)) this.#setTrouble(jid, error);
  }

  /** After a new connection nothing is certain: lists may have changed unseen. */
  forget(): void {
    this.#lists.clear();
  }

  /** The bundle of a device whose identity key, once seen, must stay what it was. */
  async bundle(address: DeviceAddress, signal?: AbortSignal): Promise<OmemoBundle> {
    const bundle = await this.#nodes.bundle(address.jid, address.deviceId, signal);
    const known = this.#known.get(address.jid, address.deviceId);
    if (known !== undefined && !equalBytes(known.identityKey, bundle.identityKey)) {
      this.onSwapped.emit(address);
      throw new AppError('forged', 'the device shows another identity key than before', { device: address.deviceId });
    }
    if (known === undefined) {
      this.#known.learn(address.jid, address.deviceId, bundle.identityKey, this.#clock.now());
    }
    return bundle;
  }

  /** Makes our own device findable: bundle first, so that nobody meets an id without keys. */
  async publishOwn(own: BareJid, deviceId: number, bundle: OmemoBundle, signal?: AbortSignal): Promise<void> {
    const listing = this.#nodes.deviceList(own, signal);
    // At once: news of a device may come before the bundle is there.
    void listing.then(
      () => this.#remember(own, listing, KEPT_MS),
      () => undefined,
    );
    const [seen] = await Promise.all([listing, this.#nodes.publishBundle(deviceId, bundle, signal)]);
    if (seen.includes(deviceId)) return;
    // Asked anew, and a failure is one: a list written over would shut our other devices out.
    const listed = await this.#nodes.deviceList(own, signal);
    const complete = [...listed, deviceId];
    await this.#nodes.publishDeviceList(complete, signal);
    this.#remember(own, Promise.resolve(complete), KEPT_MS);
    this.#log.info('own device listed', { deviceId, devices: complete.length });
  }

  /** Takes devices of our own account off its list, so that nobody writes to them any more. */
  async unlistOwn(own: BareJid, deviceIds: readonly number[], signal?: AbortSignal): Promise<void> {
    const listed = await this.#nodes.deviceList(own, signal);
    const rest = listed.filter((deviceId) => !deviceIds.includes(deviceId));
    if (rest.length === listed.length) return;
    await this.#nodes.publishDeviceList(rest, signal);
    this.#remember(own, Promise.resolve(rest), KEPT_MS);
  }

  #withoutGone(jid: BareJid, listed: readonly number[]): readonly number[] {
    return listed.filter((deviceId) => !this.#isGone(jid, deviceId));
  }

  #remember(jid: BareJid, list: Promise<readonly number[]>, keptMs: number): void {
    this.#lists.set(jid, { list, untilMs: this.#clock.monotonic() + keptMs });
    list.then(
      (listed) => this.onListed.emit({ jid, deviceIds: this.#withoutGone(jid, listed) }),
      // Whoever asked hears of it.
      () => undefined,
    );
  }

  #setTrouble(jid: BareJid, error: unknown): void {
    const isSilent = errorCode(error) === 'timed-out';
    const trouble = isSilent ? 'server-silent' : (TROUBLES[errorCondition(error) ?? ''] ?? null);
    if (trouble === this.trouble(jid)) return;
    if (trouble === null) this.#troubles.delete(jid);
    else this.#troubles.set(jid, trouble);
    this.onTrouble.emit(jid);
  }

  async #ask(jid: BareJid): Promise<readonly number[]> {
    try {
      const deviceIds = await this.#nodes.deviceList(jid);
      // Servers answer the same for an account without devices and for none at all.
      if (deviceIds.length > 0 || this.trouble(jid) === 'server-silent') this.#setTrouble(jid, null);
      return deviceIds;
    } catch (error) {
      if (errorCode(error) === 'disconnected') throw error;
      this.#setTrouble(jid, error);
      // No such node, a node that is closed to us, or a server that does not answer: one account must not
      // keep everybody else from getting the message.
      this.#log.info('no device list', { error });
      return [];
    }
  }
}
