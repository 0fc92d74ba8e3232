import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDeviceKey } from '../../src/base/id.ts';
import { writeLines } from '../../src/base/line-code.ts';
import type { DeviceView } from '../../src/contract/views.ts';
import { ME } from '../fixtures/fake-views.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const device = (digits: string, name: string, state: DeviceView['state']): DeviceView => ({
  ...{ device: parseDeviceKey(digits.repeat(32)), name, state },
  addedAtMs: Date.now() - 3 * 86_400_000,
  seenAtMs: Date.now() - 3_600_000,
});

test('a new computer is asked for, a lost one is removed, and the kit is shown to whoever knows the password', async () => {
  await using screen = await Screen.open(browser);
  const devices = [device('aa', 'kitchen', 'here'), device('bb', 'laptop', 'known'), device('cc', 'tablet', 'new')];
  devices.push(device('dd', 'attic', 'ending'), device('ee', 'cellar', 'ended'));
  screen.engine.state.account = { jid: ME, state: 'online', error: null, devices, warnings: ['copied-profile'] };
  await screen.goHome();
  expect(await screen.by('warning-banner').textContent()).toContain('copy of one of your computers');
  await screen.by('warning-read').click();
  await screen.by('warning-banner').waitFor({ state: 'detached' });
  expect(await screen.by('device-banner').textContent()).toContain('“tablet”');
  await screen.by('nav-settings').click();
  await screen.by('device').first().waitFor();
  const going = screen.by('device').filter({ hasText: 'attic' });
  expect(await going.textContent()).toContain('Being removed');
  expect(await going.getByTestId('device-remove').count()).toBe(0);
  expect(await screen.by('device').filter({ hasText: 'cellar' }).count()).toBe(0);
  await screen.picture('devices');
  expect(await screen.violations()).toEqual([]);
  await screen.by('device-banner-mine').click();
  await screen.by('device-banner').waitFor({ state: 'detached' });
  const laptop = screen.by('device').filter({ hasText: 'laptop' });
  await laptop.getByTestId('device-remove').click();
  await screen.by('confirm').click();
  await laptop.waitFor({ state: 'detached' });
  await going.getByTestId('device-remove-at-once').click();
  await screen.page.getByText('is lost for everybody then').waitFor();
  await screen.picture('device-at-once');
  await screen.by('confirm').click();
  await going.waitFor({ state: 'detached' });
  await screen.by('kit-make').click();
  await screen.by('kit-password').fill('wrong');
  await screen.by('kit-show').click();
  await screen.page.getByText('This is not the password of this account.').waitFor();
  await screen.by('kit-password').fill('right');
  await screen.by('kit-show').click();
  await screen.by('kit-line').first().waitFor();
  await screen.picture('recovery-kit');
  expect(await screen.violations()).toEqual([]);
});

test('a mistake in the kit is named by its line when one signs in', async () => {
  await using screen = await Screen.open(browser, { signedIn: false });
  await screen.page.goto(screen.engine.url);
  await screen.by('sign-in-jid').fill('anna@example.org');
  await screen.by('sign-in-password').fill('right');
  await screen.by('sign-in-has-kit').click();
  const lines = writeLines(Uint8Array.from({ length: 70 }, (_, index) => index * 3));
  const wrong = lines.with(
    1,
    (lines[1] ?? '').replace(/^./, (sign) => (sign === 'A' ? 'B' : 'A')),
  );
  await screen.by('sign-in-kit').fill(wrong.join('\n'));
  await screen.by('sign-in-submit').click();
  await screen.page.getByText('There is a mistake in line 2').waitFor();
  await screen.picture('sign-in-kit');
  expect(await screen.violations()).toEqual([]);
  await screen.by('sign-in-kit').fill(lines.join('\n'));
  await screen.by('sign-in-submit').click();
  await screen.by('nav-settings').waitFor();
});

test('another program at the account is asked about everywhere until the person has said whose it is, which they can change', async () => {
  await using screen = await Screen.open(browser);
  const devices = [device('aa', 'kitchen', 'here')];
  const programs = [
    { deviceId: 4711, choice: 'let-in' as const, sinceMs: Date.now() - 3 * 86_400_000 },
    { deviceId: 31_337, choice: 'open' as const, sinceMs: Date.now() },
  ];
  screen.engine.state.account = { jid: ME, state: 'online', error: null, devices, programs };
  await screen.goHome();
  const banner = screen.by('program-banner');
  expect(await banner.textContent()).toContain('Is it yours?');
  await screen.by('nav-settings').click();
  const program = screen.by('program').filter({ hasText: '31337' });
  await program.waitFor();
  await screen.picture('devices-programs');
  expect(await screen.violations()).toEqual([]);
  await banner.getByTestId('program-banner-out').click();
  await banner.waitFor({ state: 'detached' });
  await program.getByText('reads nothing that you write').waitFor();
  await program.getByTestId('program-in').click();
  await program.getByText('reads what you write').waitFor();
  expect(screen.complaints).toEqual([]);
});
