import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** Opens the menu of an item by keyboard and chooses one of its entries. */
async function choose(screen: Screen, name: string, entry: string): Promise<void> {
  await screen.tile(name).getByTestId('item-menu').focus();
  await screen.page.keyboard.press('Enter');
  await screen.page.getByRole('menuitem', { name: entry }).click();
}

test('a received item is removed with its copy, undone from the corner, and put back from the list of removed ones', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await choose(screen, 'Lighthouse', 'Remove from list');
  await screen.page.getByRole('radio', { name: 'Delete the copy too' }).click();
  await screen.settled();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('remove-item');
  await screen.by('confirm').click();
  await screen.tile('Lighthouse').waitFor({ state: 'detached' });
  expect(screen.engine.calls).toContain('remove delete');
  await screen.page.getByRole('button', { name: 'Undo' }).click();
  await screen.tile('Lighthouse').waitFor();

  await choose(screen, 'Lighthouse', 'Remove from list');
  await screen.by('confirm').click();
  await screen.by('removed-toggle').click();
  await screen.by('removed-item').scrollIntoViewIfNeeded();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('removed-items');
  await screen.by('removed-item').getByRole('button').click();
  await screen.tile('Lighthouse').waitFor();
  expect(await screen.by('removed-items').count()).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('an item is checked again from its menu', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await choose(screen, 'Lighthouse', 'Check the file again');
  await screen.page.getByText('is undamaged').first().waitFor();
  await choose(screen, 'Lighthouse', 'Stop checking');
  expect(screen.complaints).toEqual([]);
});
