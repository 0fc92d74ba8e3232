// XEP-0045: Multi-User Chat, version 1.35.3, §10
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { XmppPort } from './port.ts';
import { askDiscoInfo } from './xep/0030-disco.ts';
import { configureRoom, destroyRoom, fetchRoomConfig } from './xep/0045-muc.ts';

/** Only the owner lets people in, everybody sees who everybody is, strangers see nothing, and it stays. */
const WANTED: Readonly<Record<string, string>> = {
  'muc#roomconfig_membersonly': '1',
  'muc#roomconfig_whois': 'anyone',
  'muc#roomconfig_persistentroom': '1',
  'muc#roomconfig_publicroom': '0',
  'muc#roomconfig_allowinvites': '0',
  'muc#roomconfig_changesubject': '0',
  'muc#roomconfig_moderatedroom': '0',
  'muc#roomconfig_passwordprotectedroom': '0',
  // The name of the sphere travels sealed; the server is told none.
  'muc#roomconfig_roomname': '',
  // One archive option per server family.
  'muc#roomconfig_enablearchiving': '1',
  'muc#roomconfig_enablelogging': '1',
  mam: '1',
  '{http://prosody.im/protocol/muc}roomconfig_allowmemberinvites': '0',
};
const REQUIRED = ['muc_membersonly', 'muc_nonanonymous', 'muc_persistent', 'muc_hidden'];

/** Configures a room that we have just created, and proves it; a room that cannot be made safe is destroyed again. */
export async function setUpRoom(client: XmppPort, address: BareJid, signal: AbortSignal): Promise<void> {
  try {
    const form = await fetchRoomConfig(client, address, signal);
    const offered = new Set(form?.fields.map(({ name }) => name));
    const values = Object.fromEntries(Object.entries(WANTED).filter(([name]) => offered.has(name)));
    await configureRoom(client, address, values, signal);
    const { features } = await askDiscoInfo(client, address, signal);
    const missing = REQUIRED.filter((feature) => !features.includes(feature));
    if (missing.length > 0)
      throw new AppError('server-lacks-rooms', 'the room service cannot keep a room closed', { missing });
  } catch (error) {
    // The failure that matters is the first one.
    await abandonRoom(client, address, signal).catch(() => undefined);
    throw error;
  }
}

/** Destroys a room that came into being by entering it. One that was to last would leave a gravestone in its owner's way. */
export async function abandonRoom(client: XmppPort, address: BareJid, signal: AbortSignal): Promise<void> {
  // A service that cannot change this has not made it last.
  await configureRoom(client, address, { 'muc#roomconfig_persistentroom': '0' }, signal).catch(() => undefined);
  await destroyRoom(client, address, signal);
}
