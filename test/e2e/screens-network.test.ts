import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

test('a network is called public in the settings, and the page says so when it is opened again', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  const choice = screen.page.getByRole('switch', { name: 'This is a public network' });
  await choice.click();
  await expect.poll(() => choice.getAttribute('aria-checked')).toBe('true');
  await screen.picture('settings-network');
  expect(await screen.violations()).toEqual([]);
  await screen.page.reload();
  await expect.poll(() => choice.getAttribute('aria-checked')).toBe('true');
});
