import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import { xml } from '../xmpp/element.ts';
import { NS_CLIENT_STATE } from '../xmpp/xep/0352-client-state.ts';
import { ClientStateTeller } from './client-state-teller.ts';
import { Onlookers } from './onlookers.ts';

const MINUTE = 60_000;

function signedIn({ heedsState = true } = {}) {
  const clock = new VirtualClock();
  const onlookers = new Onlookers();
  const port = Object.assign(new FakeXmppPort(() => xml('iq')), { connection: { heedsState } });
  const stop = new AbortController();
  const spawn = (_name: string, task: (signal: AbortSignal) => Promise<void>): void => {
    task(stop.signal).catch(() => undefined);
  };
  const teller = new ClientStateTeller({ client: port, onlookers, spawn, clock });
  const online = (resumed: boolean): void => port.setState({ kind: 'online', resumed });
  const told = (): string[] =>
    port.sent.map((element) => (element.getNS() === NS_CLIENT_STATE ? element.name : 'else'));
  online(false);
  return { clock, onlookers, port, teller, online, told };
}

test('a minute after the last look the server hears that nobody looks, and at once when somebody does', async () => {
  const { clock, onlookers, told } = signedIn();
  const look = onlookers.begin();
  await clock.advance(10 * MINUTE);
  expect(told()).toEqual([]);
  look[Symbol.dispose]();
  await clock.advance(MINUTE - 1);
  expect(told()).toEqual([]);
  await clock.advance(1);
  expect(told()).toEqual(['inactive']);
  onlookers.begin();
  expect(told()).toEqual(['inactive', 'active']);
});

test('an engine that nobody ever looks at says so a minute after it signed in', async () => {
  const { clock, told } = signedIn();
  await clock.advance(MINUTE - 1);
  expect(told()).toEqual([]);
  await clock.advance(1);
  expect(told()).toEqual(['inactive']);
  await clock.advance(60 * MINUTE);
  expect(told()).toEqual(['inactive']);
});

test('pages that are shown and hidden many times a minute say nothing', async () => {
  const { clock, onlookers, told } = signedIn();
  for (let turn = 0; turn < 200; turn += 1) {
    const [one, other] = [onlookers.begin(), onlookers.begin()];
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    await clock.advance(300);
    other[Symbol.dispose]();
    await clock.advance(MINUTE / 2);
  }
  expect(told()).toEqual([]);
});

test('a resumed stream begins as active and hears the state anew', async () => {
  const { clock, port, online, told } = signedIn();
  await clock.advance(MINUTE);
  port.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  await clock.advance(MINUTE);
  online(true);
  expect(told()).toEqual(['inactive', 'inactive']);
});

test('a new session is set up as active, and hears the state a minute later', async () => {
  const { clock, port, online, told } = signedIn();
  await clock.advance(MINUTE);
  port.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  online(false);
  await clock.advance(MINUTE - 1);
  expect(told()).toEqual(['inactive']);
  await clock.advance(1);
  expect(told()).toEqual(['inactive', 'inactive']);
});

test('whoever looks while there is no line is told of in the next one by nothing: it begins as active', async () => {
  const { clock, port, onlookers, online, told } = signedIn();
  await clock.advance(MINUTE);
  port.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  onlookers.begin();
  online(true);
  await clock.advance(10 * MINUTE);
  expect(told()).toEqual(['inactive']);
});

test('a device that waits for us makes the line quick for a minute, at most twice a minute being told', async () => {
  const { clock, teller, told } = signedIn();
  await clock.advance(MINUTE);
  for (let call = 0; call < 100; call += 1) {
    teller.stir();
    await clock.advance(1_000);
  }
  expect(told()).toEqual(['inactive', 'active']);
  await clock.advance(MINUTE - 1_000);
  expect(told()).toEqual(['inactive', 'active', 'inactive']);
});

test('a server that does not ask for it is told nothing', async () => {
  const { clock, onlookers, told } = signedIn({ heedsState: false });
  await clock.advance(MINUTE);
  onlookers.begin()[Symbol.dispose]();
  await clock.advance(10 * MINUTE);
  expect(told()).toEqual([]);
});
