import { AppError, errorCode } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Encrypted } from '../omemo/encrypting.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress, OmemoBundle, TrustDecision } from '../omemo/types.ts';
import type { Storage } from '../storage/storage.ts';
import type { DeviceFinder, TalkDevices } from './talk-devices.ts';

interface TalkEncryptionDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly devices: DeviceFinder;
  readonly readers: Pick<TalkDevices, 'readersWith' | 'refused'>;
  readonly own: BareJid;
}

/** What of their device's keys says nothing about the device. */
const UNHEARD: readonly ErrorCode[] = ['disconnected', 'timed-out', 'server-unreachable'];
const MAX_PER_ACCOUNT = 50;

/** Encrypts what is said with one person for the devices of both that may read it. */
export class TalkEncryption {
  readonly #deps: TalkEncryptionDeps;

  constructor(deps: TalkEncryptionDeps) {
    this.#deps = deps;
  }

  /**
   * Rejects with `not-vouched` when they could be reached only by devices that nobody vouches for, and with `cannot-encrypt`
   * only when their devices themselves are the reason.
   */
  async encrypt(peer: BareJid, text: string, signal: AbortSignal): Promise<Encrypted> {
    const { devices, readers, own } = this.#deps;
    const theirs = await devices.askDeviceIds(peer);
    if (theirs.length === 0 && devices.trouble(peer) === 'server-silent') {
      throw new AppError('server-unreachable', 'their server does not answer');
    }
    const ours = await devices.deviceIds(own);
    const { trusts, isLeftOut } = readers.readersWith(peer);
    const listed = [...addresses(peer, theirs), ...addresses(own, ours)];
    const recipients = listed.filter((address) => !isLeftOut(address));
    const leftOut = new Set(listed.filter((address) => !recipients.includes(address)).map(({ jid }) => jid));
    const decide: TrustDecision = (address, identityKey, standing) => {
      const isTrusted = trusts(address, identityKey, standing);
      if (!isTrusted) leftOut.add(address.jid);
      return isTrusted;
    };
    try {
      return await this.#encrypt({ peer, recipients, text, trusts: decide }, signal);
    } catch (error) {
      if (errorCode(error) !== 'cannot-encrypt' || !leftOut.has(peer)) throw error;
      // Now, not when they had the time to be vouched for: the line says that it is about them.
      readers.refused(peer);
      throw new AppError('not-vouched', 'nobody vouches for the devices that could be reached', {}, error);
    }
  }

  async #encrypt(
    input: { peer: BareJid; recipients: readonly DeviceAddress[]; text: string; trusts: TrustDecision },
    signal: AbortSignal,
  ): Promise<Encrypted> {
    const { devices, omemo, storage } = this.#deps;
    const { peer, ...message } = input;
    const unheard: unknown[] = [];
    const fetchBundle = async (address: DeviceAddress, stop: AbortSignal): Promise<OmemoBundle> => {
      try {
        return await devices.bundle(address, stop);
      } catch (error) {
        if (address.jid === peer && UNHEARD.includes(errorCode(error))) unheard.push(error);
        throw error;
      }
    };
    try {
      return await omemo.encrypt(
        { ...message, fetchBundle },
        (result, changes) => {
          requireReached(result, peer);
          storage.transaction(() => storage.omemo.apply(changes));
          return result;
        },
        signal,
      );
    } catch (error) {
      throw errorCode(error) === 'cannot-encrypt' ? (unheard[0] ?? error) : error;
    }
  }
}

/** A message that only our own devices could read is not sent. */
function requireReached({ reached }: Encrypted, peer: BareJid): void {
  if (reached.some(({ address }) => address.jid === peer)) return;
  throw new AppError('cannot-encrypt', 'none of their devices can be reached');
}

function addresses(jid: BareJid, deviceIds: readonly number[]): DeviceAddress[] {
  return deviceIds.slice(0, MAX_PER_ACCOUNT).map((deviceId) => ({ jid, deviceId }));
}
