// XEP-0045: Multi-User Chat, version 1.35.3, §10
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { XmppPort } from './port.ts';
import { Room } from './room.ts';
import { askDiscoInfo } from './xep/0030-disco.ts';
import { configureRoom, destroyRoom } from './xep/0045-muc.ts';

/** Rooms on trial that may still be there: a program that is killed in the middle of a trial leaves one behind. */
export interface TrialNote {
  read(): readonly BareJid[];
  write(rooms: readonly BareJid[]): void;
}

interface TrialRoomDeps {
  readonly client: XmppPort;
  readonly note: TrialNote;
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

const UNANSWERED: ReadonlySet<string> = new Set(['disconnected', 'timed-out']);
const UNFIT: ReadonlySet<string> = new Set(['server-lacks-rooms', 'not-allowed', 'not-a-member', 'bad-input']);

/** Makes a room as a sphere has one, and removes it again: what a service says of itself may not hold for us. */
export async function tryRoom(deps: TrialRoomDeps, service: string, signal: AbortSignal): Promise<TrialRoom> {
  const { client, note, random } = deps;
  const address = parseBareJid(`trial-${toHex(random(8))}@${service}`);
  await using room = new Room({ ...deps, address, nick: 'trial' });
  note.write([...note.read(), address]);
  try {
    await room.create(signal);
    const { features } = await askDiscoInfo(client, address, signal);
    return { closed: true, archive: features.includes('urn:xmpp:mam:2') };
  } catch (error) {
    if (UNFIT.has(errorCode(error))) return { closed: false, archive: null };
    throw error;
  } finally {
    await removeRoom(deps, address);
  }
}

/** Removes what earlier trials left behind. */
export async function sweepTrialRooms(deps: Pick<TrialRoomDeps, 'client' | 'note'>): Promise<void> {
  for (const address of deps.note.read()) await removeRoom(deps, address);
}

/** Without a signal: whoever stops waiting must not leave a room behind. */
async function removeRoom({ client, note }: Pick<TrialRoomDeps, 'client' | 'note'>, address: BareJid): Promise<void> {
  const never = new AbortController().signal;
  try {
    // One that was to last would leave a gravestone. What was not made, or is gone already, refuses both.
    await configureRoom(client, address, { 'muc#roomconfig_persistentroom': '0' }).catch(refuseUnanswered);
    await destroyRoom(client, address, never).catch(refuseUnanswered);
  } catch {
    // The server did not answer: the next session asks again.
    return;
  }
  note.write(note.read().filter((other) => other !== address));
}

function refuseUnanswered(error: unknown): void {
  if (UNANSWERED.has(errorCode(error))) throw error;
}
