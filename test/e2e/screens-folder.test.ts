import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

test('a place for the folder of a sphere is chosen among folders, and the person hears that it lies there', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  if ((await screen.by('move-folder').count()) === 0) await screen.by('panel-people').click();
  await screen.by('move-folder').click();
  await screen.by('folder-choose').click();
  await expect.poll(() => screen.by('folder-path').inputValue()).not.toBe('');
  expect(await screen.looks('folder-move')).toEqual([]);
  await screen.by('move-folder-confirm').click();
  await screen.page.getByText('The folder is moved').first().waitFor();
  expect(screen.complaints).toEqual([]);
});
