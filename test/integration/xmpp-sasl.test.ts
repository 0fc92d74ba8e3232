import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeScramOptions, fakeScram } from '../fixtures/fake-scram.ts';
import { FAKE_FULL_JID } from '../fixtures/fake-xmpp-server.ts';
import { FAKE_PASSWORD, FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { codeOf, never } from '../fixtures/xmpp-accounts.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const BINDINGS = ['tls-unique', 'tls-exporter'];
const ALL = ['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS', 'X-UNKNOWN'];
const without = (...names: string[]): string[] => ALL.filter((name) => !names.includes(name));

async function signIn(options: Partial<FakeScramOptions>) {
  const sasl = fakeScram({ mechanisms: ALL, password: FAKE_PASSWORD, bindings: BINDINGS, ...options });
  const server = await world.serve({ sasl });
  const client = await world.clientOf(server);
  const outcome = await client.connect(never).then(() => client.fullJid, codeOfFailure);
  return { outcome, used: sasl.used, server };
}

const codeOfFailure = (error: unknown): Promise<unknown> => codeOf(Promise.reject(error));

describe('the best way to sign in that both sides know is taken', () => {
  test.each([
    ['not bound where the server says not how', { bindings: undefined }, 'SCRAM-SHA-256', 'n,,'],
    ['bound, where the server says how', {}, 'SCRAM-SHA-256-PLUS', 'p=tls-exporter,,'],
    ['not bound in a way that the server does not know', { bindings: ['tls-unique'] }, 'SCRAM-SHA-256', 'n,,'],
    [
      'bound to the certificate where the server knows nothing better',
      { bindings: ['tls-server-end-point'] },
      'SCRAM-SHA-256-PLUS',
      'p=tls-server-end-point,,',
    ],
    [
      'bound to the connection before the certificate',
      { bindings: ['tls-server-end-point', 'tls-exporter'] },
      'SCRAM-SHA-256-PLUS',
      'p=tls-exporter,,',
    ],
    [
      'bound before the longer hash',
      { mechanisms: without('SCRAM-SHA-256-PLUS') },
      'SCRAM-SHA-1-PLUS',
      'p=tls-exporter,,',
    ],
    [
      'unbound, and telling that it could be bound',
      { mechanisms: without('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS') },
      'SCRAM-SHA-256',
      'y,,',
    ],
    [
      'telling that it could be bound also where neither a way nor a kind is offered: both may have been taken out on the way',
      { mechanisms: ['PLAIN', 'SCRAM-SHA-1'], bindings: undefined },
      'SCRAM-SHA-1',
      'y,,',
    ],
    ['the oldest one', { mechanisms: ['PLAIN', 'SCRAM-SHA-1'] }, 'SCRAM-SHA-1', 'y,,'],
  ] as const)('%s', async (_, options, mechanism, header) => {
    const { outcome, used } = await signIn(options);
    expect(used).toEqual([{ mechanism, header }]);
    expect(outcome).toBe(FAKE_FULL_JID);
  });
});

test('a server may prove itself in one more challenge', async () => {
  expect((await signIn({ proof: 'challenge' })).outcome).toBe(FAKE_FULL_JID);
});

test.each(['wrong', 'none'] as const)('a server whose proof is %s gets no session', async (proof) => {
  const { outcome, server } = await signIn({ proof });
  expect(outcome).toBe('bad-certificate');
  expect(server.signIns).toBe(0);
  expect(server.secureBytes()).not.toContain(FAKE_PASSWORD);
});

test('a wrong password is told as such', async () => {
  expect((await signIn({ password: 'another' })).outcome).toBe('wrong-password');
});
