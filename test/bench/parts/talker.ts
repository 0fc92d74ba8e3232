import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BareJid } from '../../../src/base/id.ts';
import { parseSphereId } from '../../../src/base/id.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import { openIdentity } from '../../../src/engine/own-identity.ts';
import { Omemo } from '../../../src/omemo/omemo.ts';
import type { Carrier } from '../../../src/spheres/carrier.ts';
import { Conversation } from '../../../src/spheres/conversation.ts';
import { DeviceDirectory } from '../../../src/spheres/device-directory.ts';
import { Outgoing } from '../../../src/spheres/outgoing.ts';
import { Recipients } from '../../../src/spheres/recipients.ts';
import { SphereList } from '../../../src/spheres/sphere-list.ts';
import { XmppClient } from '../../../src/xmpp/client.ts';
import { encryptedMessage } from '../../../src/xmpp/message.ts';
import { Room } from '../../../src/xmpp/room.ts';
import { passwordOf } from '../../fixtures/engine-world.ts';
import type { RawHome } from '../../fixtures/raw-member.ts';
import { RawMember, openRawStorage } from '../../fixtures/raw-member.ts';
import { loginAt } from '../../fixtures/xmpp-accounts.ts';
import type { XmppServer } from '../../fixtures/xmpp-server.ts';

const unused = (): Promise<never> => Promise.reject(new Error('a talker has a session with everybody'));

/**
 * A member who first joins and gets to know everybody as any other, and later only talks: its lines go through the
 * product's log, encryption and outbox into the room, but it reads nothing, so that long conversations are soon made.
 */
export class Talker implements AsyncDisposable {
  readonly name: string;
  /** While it takes part as any member. */
  readonly member: RawMember;
  readonly #server: XmppServer;
  readonly #home: RawHome;

  private constructor(name: string, member: RawMember, server: XmppServer, home: RawHome) {
    this.name = name;
    this.member = member;
    this.#server = server;
    this.#home = home;
  }

  /** Signs the account in; it must exist. */
  static async start(server: XmppServer, name: string): Promise<Talker> {
    const folder = await mkdtemp(join(tmpdir(), 'spherecast-talker-'));
    const home = { folder, masterKey: systemRandom(32) };
    return new Talker(name, await RawMember.start(server, name, home), server, home);
  }

  /** Says the lines of `texts`, one after the other; `member` must be gone by then. Resolves when the room has them. */
  async talk(sphereId: string, texts: readonly string[], signal: AbortSignal): Promise<void> {
    const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
    await using stack = new AsyncDisposableStack();
    const storage = stack.use(openRawStorage(this.#home));
    const { author } = openIdentity(storage.identity, systemRandom);
    const login = await loginAt(this.#server, this.name, passwordOf(this.name));
    const omemo = await Omemo.open({ store: storage.omemo, own: login.jid, ...deps });
    const list = new SphereList({ storage, author, own: login.jid, ...deps });
    const sphere = list.get(parseSphereId(sphereId));
    const client = stack.use(new XmppClient({ login, ...deps }));
    await client.connect(signal);
    const { room: address } = sphere.row;
    const room = stack.use(new Room({ client, address, nick: `${this.name}-talks`, ...deps }));
    await room.join(signal);
    const nodes = { deviceList: unused, bundle: unused, publishDeviceList: unused, publishBundle: unused };
    const directory = new DeviceDirectory({ nodes, known: storage.knownDevices, ...deps });
    const at = { own: omemo.address, device: author.device.id };
    const book = new Recipients({ directory, stateOf: () => sphere.state, ...at, storage });
    const outgoing = new Outgoing({ storage, omemo, directory, carrier: carrierInto(room), book, ...deps });
    const stop = new AbortController();
    const running = outgoing.run(stop.signal).catch(() => undefined);
    const messages = new Conversation({ list, storage });
    const ids = list.together(sphere, () => texts.map((text) => messages.say(sphere.id, text)));
    await outgoing.flushed(ids.slice(-1), { orParked: false }, signal);
    stop.abort();
    await running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function carrierInto(room: Room): Carrier {
  return {
    isOnline: true,
    isInRoom: (address: BareJid) => address === room.address,
    isKeptOut: () => false,
    isLookedThrough: () => true,
    isHeard: () => Promise.resolve(false),
    toRoomNow: unused,
    toAccount: unused,
    toRoom: (to, { invitesTo: _never, sealed, ...message }, signal) =>
      room.send(encryptedMessage({ to, type: 'groupchat', ...message, sealed: sealed ?? undefined }), signal),
  };
}
