// XEP-0163: Personal Eventing Protocol, version 1.2.2
import { toBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { readBase64 } from './base64-text.ts';
import { xml } from './element.ts';
import { splitJid } from './jid.ts';
import type { XmppPort } from './port.ts';
import { fetchOwnItem, publishToPep } from './xep/0163-pep.ts';

const NS_RUN = 'urn:spherecast:run:0';
const ITEM_ID = 'current';
const MAX_BYTES = 4096;

/** A node for each device, because servers differ in how many items they keep in one. */
function nodeOf(deviceId: number): string {
  return `${NS_RUN}:${deviceId}`;
}

/** What the account keeps of the last run of a device; undefined when there is nothing that can be one. */
export async function fetchRun(
  client: XmppPort,
  deviceId: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const payload = await fetchOwnItem(client, { node: nodeOf(deviceId), id: ITEM_ID }, signal);
  return payload?.is('run', NS_RUN) === true ? readBase64(payload, MAX_BYTES) : undefined;
}

/** Keeps it where only the account itself reads it. */
export async function publishRun(
  client: XmppPort,
  deviceId: number,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const payload = xml('run', { xmlns: NS_RUN }, toBase64(bytes));
  await publishToPep(client, { node: nodeOf(deviceId), id: ITEM_ID, payload }, 'whitelist', signal);
}

/** Asks another resource of our account to sign; rejects when nobody is there or it does not answer. */
export async function askForSign(
  client: XmppPort,
  address: string,
  challenge: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const answer = await client.iq('get', address, xml('alive', { xmlns: NS_RUN }, toBase64(challenge)), signal);
  return readBase64(answer.getChild('alive', NS_RUN), MAX_BYTES);
}

/** Answers such questions of our own account; `sign` gives undefined when it does not. */
export function answerForSign(client: XmppPort, sign: (challenge: Uint8Array) => Uint8Array | undefined): Disposable {
  return client.handleIq('get', NS_RUN, 'alive', ({ from, payload }) => {
    const challenge = readBase64(payload, MAX_BYTES);
    const isOurs = splitJid(from).bare === client.jid;
    const signed = isOurs && challenge !== undefined ? sign(challenge) : undefined;
    if (signed === undefined) throw new AppError('not-found', 'nothing is signed for this');
    return xml('alive', { xmlns: NS_RUN }, toBase64(signed));
  });
}
