import { expect, onTestFinished, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { Emitter } from '../base/emitter.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { Said } from '../spheres/ephemeral-channel.ts';
import { xml } from '../xmpp/element.ts';
import type { Occupant } from '../xmpp/room-types.ts';
import { NS_PING, pingElement } from '../xmpp/xep/0199-ping.ts';
import { ABILITIES, FIRST_ABILITIES } from './abilities.ts';
import { Onlookers } from './onlookers.ts';
import { tellClientState } from './tell-client-state.ts';

const ROOM = parseBareJid('summer@rooms.a.test');
const BEN: Occupant = {
  nick: 'ben-aaaaaa',
  jid: parseBareJid('ben@a.test'),
  fullJid: 'ben@a.test/here',
  affiliation: 'member',
  occupantId: null,
  caps: null,
};

function signedIn() {
  const clock = new VirtualClock();
  const pinged: (string | undefined)[] = [];
  const port = new FakeXmppPort((_payload, to) => {
    pinged.push(to);
    return xml('iq');
  });
  const client = Object.assign(port, { connection: { heedsState: true } as never });
  const scope = new Scope({ log: silentLogger });
  const stack = new AsyncDisposableStack();
  onTestFinished(async () => await stack.disposeAsync());
  stack.use(scope);
  const channel = { onSaid: new Emitter<Said>() };
  const around = { scope, stack, clock, onlookers: new Onlookers(), channel };
  const carrier = { isReader: async () => true };
  const [list, rooms] = [{ wantedRooms: () => [ROOM] }, { occupants: () => [BEN] }];
  tellClientState({ ...around, client, carrier, list, rooms });
  port.setState({ kind: 'online', resumed: false });
  const told = (): string[] => port.sent.map(({ name }) => name);
  const ping = async (from: string): Promise<unknown> =>
    await port.answering.get(NS_PING)?.({ type: 'get', from, payload: pingElement() });
  return { clock, port, channel, told, ping, pinged };
}

test('whoever pings us gets an answer, which our abilities promise', async () => {
  const { port, ping } = signedIn();
  expect(port.answering.get(NS_PING)).toBeDefined();
  expect(await ping('ben@b.test/phone')).toBeUndefined();
  for (const { features } of [ABILITIES, FIRST_ABILITIES]) expect(features).toContain(NS_PING);
});

test('while nobody looks a ping out of one of our rooms makes the line quick for a minute, one of a stranger does not', async () => {
  const { clock, told, ping } = signedIn();
  await clock.advance(60_000);
  await ping('eve@evil.test/x');
  await ping('other@rooms.a.test/eve');
  expect(told()).toEqual(['inactive']);
  await ping(`${ROOM}/ben-aaaaaa`);
  expect(told()).toEqual(['inactive', 'active']);
  await clock.advance(60_000);
  expect(told()).toEqual(['inactive', 'active', 'inactive']);
});

test('whoever is told our addresses and says nothing is pinged', async () => {
  const { clock, channel, pinged } = signedIn();
  channel.onSaid.emit({ room: ROOM, kind: 'endpoints', to: null });
  await clock.advance(1_000);
  expect(pinged).toEqual([`${ROOM}/ben-aaaaaa`]);
});
