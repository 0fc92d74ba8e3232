import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { askExternalServices } from '../../src/xmpp/xep/0215-external-services.ts';
import type { ProsodyOptions } from '../fixtures/prosody.ts';
import { hasProsody, startProsody } from '../fixtures/prosody.ts';
import { signIn } from '../fixtures/xmpp-accounts.ts';

const SECRET = 'known to server and relay';

/** What a real server answers that is set up in this way. */
async function asked(options: ProsodyOptions) {
  await using server = await startProsody({ users: { ana: 'pw' }, ...options });
  const client = await signIn(server, 'ana');
  const services = await askExternalServices(client);
  // What it may name depends on where it is.
  expect(client.connection?.serverAddress).toBe('127.0.0.1');
  await client[Symbol.asyncDispose]();
  return services;
}

describe.skipIf(!hasProsody())('external services of a real server', () => {
  test('a relay comes with a password that it can check, and what we cannot use is left out', async () => {
    const services = await asked({
      modules: ['external_services'],
      globalLines: `external_services = {
        { type = "stun"; transport = "udp"; host = "stun.a.test"; port = 3479 };
        { type = "turn"; transport = "udp"; host = "turn.a.test"; port = 3478; secret = "${SECRET}"; ttl = 3600 };
        { type = "turn"; transport = "tcp"; host = "turn.a.test"; port = 3478; secret = "${SECRET}" };
        { type = "ftp"; transport = "tcp"; host = "files.a.test"; port = 20 };
      }`,
    });
    expect(services.map(({ type, host, port }) => `${type} ${host} ${port}`)).toEqual([
      'stun stun.a.test 3479',
      'turn turn.a.test 3478',
    ]);
    const [, turn] = services;
    expect(turn?.password).toBe(
      createHmac('sha1', SECRET)
        .update(turn?.username ?? '')
        .digest('base64'),
    );
    const leftMs = (turn?.expiresMs ?? 0) - Date.now();
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
  });

  test('a service that is listed without its credentials is asked for, and of no use when there are none', async () => {
    const service = '{ type = "turn"; transport = "udp"; host = "turn.a.test"; port = 3478; restricted = true }';
    const services = await asked({ modules: ['external_services'], globalLines: `external_services = { ${service} }` });
    expect(services).toMatchObject([{ host: 'turn.a.test', isRestricted: true, password: '' }]);
  });

  test('a server that knows nothing of the extension has none', async () => {
    expect(await asked({})).toEqual([]);
  });
});
