// XEP-0045: Multi-User Chat, version 1.35.3, §10
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { XmppPort } from './port.ts';
import { Room } from './room.ts';
import { askDiscoInfo } from './xep/0030-disco.ts';
import { configureRoom } from './xep/0045-muc.ts';

interface TrialRoomDeps {
  readonly client: XmppPort;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

export interface TrialRoom {
  /** Whether we may make a room that only those may enter whom we let in. */
  readonly closed: boolean;
  /** Whether it keeps what is said in it; null when there was no room to ask. */
  readonly archive: boolean | null;
}

const UNFIT: ReadonlySet<string> = new Set(['server-lacks-rooms', 'not-allowed', 'not-a-member', 'bad-input']);

/** Makes a room as a sphere has one, and removes it again: what a service says of itself may not hold for us. */
export async function tryRoom(deps: TrialRoomDeps, service: string, signal: AbortSignal): Promise<TrialRoom> {
  const { client, random } = deps;
  const address = parseBareJid(`trial-${toHex(random(8))}@${service}`);
  await using room = new Room({ ...deps, address, nick: 'trial' });
  try {
    await room.create(signal);
    const { features } = await askDiscoInfo(client, address, signal);
    return { closed: true, archive: features.includes('urn:xmpp:mam:2') };
  } catch (error) {
    if (UNFIT.has(errorCode(error))) return { closed: false, archive: null };
    throw error;
  } finally {
    await removeRoom(client, room);
  }
}

/** Without a signal: whoever stops waiting must not leave a room behind. */
async function removeRoom(client: XmppPort, room: Room): Promise<void> {
  const ignore = (): undefined => undefined;
  // One that was to last would leave a gravestone. What was not made, or is gone already, refuses both.
  await configureRoom(client, room.address, { 'muc#roomconfig_persistentroom': '0' }).catch(ignore);
  await room.destroy(new AbortController().signal).catch(ignore);
}
