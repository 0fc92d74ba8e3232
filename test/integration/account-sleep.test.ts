import { expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { startCutProxy } from '../fixtures/cut-proxy.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import { hastyClock } from '../fixtures/hasty-clock.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import { until } from '../fixtures/xmpp-accounts.ts';

test('a connection that fell silent while the computer slept is made anew at once', async () => {
  await using server = await startProsody({ users: { ana: passwordOf('ana') } });
  await using line = await startCutProxy({ host: server.host, port: server.c2sPort });
  let sleptMs = 0;
  const clock: Clock = { ...hastyClock, now: () => hastyClock.now() + sleptMs };
  const through = { ...server, host: line.host, c2sPort: line.port };
  await using ana = await RawMember.start(through, 'ana', undefined, { clock });
  const kinds: string[] = [];
  ana.session.client.onState.on(({ kind }) => kinds.push(kind));
  line.silence();
  sleptMs = 3_600_000;
  const woken = performance.now();
  await until(() => kinds.at(-1) === 'online', 'made anew');
  expect(kinds).toEqual(['offline', 'connecting', 'online']);
  // Not told of the sleep, it would notice only after twenty seconds.
  expect(performance.now() - woken).toBeLessThan(15_000);
});
