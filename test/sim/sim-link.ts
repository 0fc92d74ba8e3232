import { Emitter } from '../../src/base/emitter.ts';
import { AppError } from '../../src/base/errors.ts';
import type { BareJid } from '../../src/base/id.ts';
import { parseBareJid } from '../../src/base/id.ts';
import type { OmemoBundle } from '../../src/omemo/types.ts';
import type { DeviceNodes } from '../../src/spheres/device-directory.ts';
import type { VaultStore } from '../../src/spheres/vault.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { attr, child, childText, xml } from '../../src/xmpp/element.ts';
import type { XmppPort, XmppState } from '../../src/xmpp/port.ts';
import type { SimRoomPort } from './sim-room-port.ts';
import type { Kept, SimServer } from './sim-server.ts';

const OFFLINE: XmppState = { kind: 'offline', error: new AppError('disconnected', 'switched off') };

/** One account's connection to the server in memory. */
export class SimLink implements XmppPort, DeviceNodes, VaultStore {
  readonly jid: BareJid;
  readonly fullJid: string;
  readonly onState = new Emitter<XmppState>();
  readonly onStanza = new Emitter<Element>();
  readonly heard = 0;
  readonly lateMs = 0;
  readonly ports = new Set<SimRoomPort>();
  state: XmppState = OFFLINE;
  /** Runs before the server has the message, and once it has it. */
  beforeSend: (stanza: Element) => Promise<void> = () => Promise.resolve();
  afterSend: (stanza: Element) => Promise<void> = () => Promise.resolve();
  readonly #server: SimServer;
  readonly #queries = new Map<string, (message: Element) => void>();

  constructor(deps: { server: SimServer; jid: BareJid }) {
    this.#server = deps.server;
    this.jid = deps.jid;
    this.fullJid = `${deps.jid}/${deps.server.newId()}`;
  }

  get domain(): string {
    return this.jid.slice(this.jid.indexOf('@') + 1);
  }

  async goOnline(): Promise<void> {
    this.#server.account(this.jid).links.add(this);
    this.state = { kind: 'online', resumed: false };
    this.onState.emit(this.state);
    for (const port of this.ports) await port.connectionBack();
  }

  goOffline(): void {
    this.#server.account(this.jid).links.delete(this);
    this.state = OFFLINE;
    for (const port of this.ports) port.connectionLost();
    this.onState.emit(this.state);
  }

  /** The room may let us in again. */
  async invited(room: BareJid): Promise<void> {
    for (const port of this.ports) await port.tryAgain(room);
  }

  receive(kept: Kept): void {
    setImmediate(() => this.state.kind === 'online' && this.onStanza.emit(this.#withSender(kept)));
  }

  newId(): string {
    return this.#server.newId();
  }

  jitter(): number {
    return 0;
  }

  send(): Promise<void> {
    return Promise.reject(new AppError('internal', 'nothing is sent past the rooms here'));
  }

  async sendConfirmed(stanza: Element): Promise<void> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    await this.beforeSend(stanza);
    this.#server.sayTo(parseBareJid(attr(stanza, 'to') ?? ''), this.jid, stanza);
    await this.afterSend(stanza);
  }

  /** Answers questions to our own archive, which are all that is asked here. */
  async iq(_type: 'get' | 'set', _to: string | undefined, query: Element): Promise<Element> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    const collect = this.#queries.get(attr(query, 'queryid') ?? '');
    const { mail } = this.#server.account(this.jid);
    const after = childText(child(query, 'set'), 'after');
    const from = after === undefined ? 0 : mail.findIndex(({ id }) => id === after) + 1;
    for (const kept of mail.slice(from)) collect?.(archiveResult(kept.id, this.#withSender(kept)));
    return xml('iq', {}, xml('fin', { xmlns: 'urn:xmpp:mam:2', complete: 'true' }));
  }

  handleIq(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  openArchiveQuery(_archive: string, queryId: string, onResult: (message: Element) => void): Disposable {
    this.#queries.set(queryId, onResult);
    return { [Symbol.dispose]: () => void this.#queries.delete(queryId) };
  }

  async deviceList(jid: BareJid): Promise<readonly number[]> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    return [...this.#server.account(jid).deviceIds];
  }

  async bundle(jid: BareJid, deviceId: number): Promise<OmemoBundle> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    const bundle = this.#server.account(jid).bundles.get(deviceId);
    if (bundle === undefined) throw new AppError('not-found', 'no such bundle');
    return bundle;
  }

  async publishDeviceList(deviceIds: readonly number[]): Promise<void> {
    this.#server.account(this.jid).deviceIds = [...deviceIds];
  }

  async publishBundle(deviceId: number, bundle: OmemoBundle): Promise<void> {
    this.#server.account(this.jid).bundles.set(deviceId, bundle);
  }

  async get(slot: number, index: number): Promise<Uint8Array | undefined> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    return this.#server.account(this.jid).vault.get(`${slot} ${index}`);
  }

  async put({ slot, index }: { slot: number; index: number }, bytes: Uint8Array): Promise<void> {
    if (this.state.kind !== 'online') throw new AppError('disconnected', 'not online');
    this.#server.account(this.jid).vault.set(`${slot} ${index}`, bytes);
  }

  #withSender({ id, from, stanza }: Kept): Element {
    const attrs = { ...stanza.attrs, from: `${from}/there`, xmlns: 'jabber:client' };
    const mark = xml('stanza-id', { xmlns: 'urn:xmpp:sid:0', id, by: this.jid });
    return xml('message', attrs, ...stanza.children.filter((part) => typeof part !== 'string'), mark);
  }
}

function archiveResult(id: string, message: Element): Element {
  const forwarded = xml('forwarded', { xmlns: 'urn:xmpp:forward:0' }, message);
  return xml('message', {}, xml('result', { xmlns: 'urn:xmpp:mam:2', id }, forwarded));
}
