import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import type { SignalClasses } from './signal-types.ts';

test('our curve and the one the library ships understand each other in both roles', async () => {
  const stock = createRequire(import.meta.url)('libsignal-protocol-typescript') as SignalClasses;
  const devices = new OmemoDevices();
  const ana = await devices.add('ana@one.test');
  const ben = await devices.add('ben@two.test', { ...stock, drain: () => undefined });
  const eve = await devices.add('eve@two.test', { ...stock, drain: () => undefined });
  expect(await ben.readText(ana, await ana.write('first', ben))).toBe('first');
  expect(await ana.readText(ben, await ben.write('answer', ana))).toBe('answer');
  expect(await ana.readText(eve, await eve.write('from the other side', ana))).toBe('from the other side');
  expect(await eve.readText(ana, await ana.write('and back', eve))).toBe('and back');
});
