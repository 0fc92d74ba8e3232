// XEP-0065: SOCKS5 Bytestreams, version 1.8.2, §6: mediated connection
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { parseBareJid } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { attr, child, xml } from '../../src/xmpp/element.ts';
import type { IqRequest } from '../../src/xmpp/port.ts';
import { connectSocks5 } from './socks5.ts';

/** One end of a bytestream through a server's proxy: runs on a host of the laboratory and is told what to do. */
export type BytestreamCall =
  | {
      readonly call: 'sign-in';
      readonly jid: string;
      readonly password: string;
      readonly caFile: string;
      /** `host:port` */
      readonly server: string;
    }
  | { readonly call: 'receive'; readonly bytes: number }
  | { readonly call: 'send'; readonly to: string; readonly file: string; readonly proxy: string };

export type BytestreamAnswer =
  | { readonly kind: 'online'; readonly jid: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'first' }
  | { readonly kind: 'whole'; readonly sha256: string }
  | { readonly kind: 'sent' }
  | { readonly kind: 'failed'; readonly why: string };

const NS = 'http://jabber.org/protocol/bytestreams';
let client: XmppClient | undefined;
let expected = 0;

process.on('message', (call: BytestreamCall) => {
  obey(call).catch((error: unknown) => tell({ kind: 'failed', why: String(error) }));
});
process.once('disconnect', () => process.exit(0));

async function obey(call: BytestreamCall): Promise<void> {
  if (call.call === 'sign-in') await signIn(call);
  else if (call.call === 'send') await send(call);
  else {
    expected = call.bytes;
    tell({ kind: 'ready' });
  }
}

function tell(answer: BytestreamAnswer): void {
  process.send?.(answer);
}

async function signIn(call: Extract<BytestreamCall, { call: 'sign-in' }>): Promise<void> {
  const [host = '', port = ''] = call.server.split(':');
  const login = {
    jid: parseBareJid(call.jid),
    password: call.password,
    server: { host, port: Number(port), directTls: port === '443' },
    ca: [await readFile(call.caFile, 'utf8')],
  };
  client = new XmppClient({ clock: systemClock, random: systemRandom, log: silentLogger, login });
  client.handleIq('set', NS, 'query', accept);
  await client.connect(AbortSignal.timeout(10_000));
  tell({ kind: 'online', jid: client.fullJid });
}

function online(): XmppClient {
  if (client === undefined) throw new Error('not signed in');
  return client;
}

/** §5.3.2 */
function nameOf(sid: string, requester: string, target: string): string {
  return createHash('sha1')
    .update(sid + requester + target)
    .digest('hex');
}

/** §6.3.1 to §6.3.3, the target's part. */
async function accept({ from, payload }: IqRequest): Promise<Element> {
  const sid = attr(payload, 'sid') ?? '';
  const offered = child(payload, 'streamhost', NS);
  const socket = await connectSocks5(placeOf(offered), nameOf(sid, from, online().fullJid));
  receive(socket);
  return xml('query', { xmlns: NS, sid }, xml('streamhost-used', { jid: attr(offered, 'jid') }));
}

function placeOf(offered: Element | undefined): { host: string; port: number } {
  return { host: attr(offered, 'host') ?? '', port: Number(attr(offered, 'port')) };
}

function receive(socket: Socket): void {
  const hash = createHash('sha256');
  let bytes = 0;
  socket.on('error', (error) => tell({ kind: 'failed', why: String(error) }));
  socket.on('data', (data: Buffer) => {
    if (bytes === 0) tell({ kind: 'first' });
    bytes += data.length;
    hash.update(data);
    if (bytes < expected) return;
    tell({ kind: 'whole', sha256: hash.digest('hex') });
    socket.destroy();
  });
}

/** §4, and the requester's part of §6.3. */
async function send({ to, file, proxy }: Extract<BytestreamCall, { call: 'send' }>): Promise<void> {
  const asked = await online().iq('get', proxy, xml('query', { xmlns: NS }));
  const { attrs } = child(child(asked, 'query', NS), 'streamhost', NS) ?? xml('streamhost');
  const place = { jid: String(attrs['jid']), host: String(attrs['host']), port: Number(attrs['port']) };
  const sid = randomUUID();
  const offer = xml('query', { xmlns: NS, sid, mode: 'tcp' }, xml('streamhost', place));
  await online().iq('set', to, offer);
  const socket = await connectSocks5(place, nameOf(sid, online().fullJid, to));
  await online().iq('set', proxy, xml('query', { xmlns: NS, sid }, xml('activate', {}, to)));
  await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), socket);
  tell({ kind: 'sent' });
}
