import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** Each screen a person can come to, and the way there. */
const WAYS: Readonly<Record<string, (screen: Screen) => Promise<void>>> = {
  home: (screen) => screen.goHome(),
  'new-sphere': async (screen) => {
    await screen.goHome();
    await screen.by('new-sphere').click();
    await screen.by('new-sphere-name').waitFor();
  },
  sphere: (screen) => screen.goToSphere(),
  people: async (screen) => {
    await screen.goToSphere();
    await screen.by('panel-people').click();
    await screen.by('member').first().waitFor();
  },
  picker: async (screen) => {
    await screen.goToSphere();
    await screen.by('add').click();
    await screen.by('picker-entry').first().waitFor();
  },
  player: async (screen) => {
    await screen.goToSphere();
    await screen.tile('Boat trip').getByTestId('item-open').click();
    await screen.by('player-video').waitFor();
  },
  elsewhere: async (screen) => {
    await screen.goToSphere();
    await screen.tile('HEVC').getByTestId('item-open').click();
    await screen.by('player-message').waitFor();
  },
  folder: async (screen) => {
    await screen.goToSphere();
    await screen.tile('Songs we danced').getByTestId('item-open').click();
    await screen.by('folder-file').first().waitFor();
  },
  transfers: async (screen) => {
    await screen.goHome();
    await screen.by('nav-transfers').click();
    await screen.by('transfer').first().waitFor();
  },
  settings: async (screen) => {
    await screen.goHome();
    await screen.by('nav-settings').click();
    await screen.by('advanced').click();
  },
};

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  test('the sign-in screen is accessible', async () => {
    await using screen = await Screen.open(browser, { colorScheme, signedIn: false });
    await screen.page.goto(screen.engine.url);
    await screen.by('sign-in-form').waitFor();
    expect(await screen.violations()).toEqual([]);
    await screen.picture(`sign-in-${colorScheme}`);
  });

  test('every screen is accessible, asks nobody outside and keeps to the policy', async () => {
    await using screen = await Screen.open(browser, { colorScheme });
    const found: string[] = [];
    for (const [name, go] of Object.entries(WAYS)) {
      await go(screen);
      found.push(...(await screen.violations()).map((violation) => `${name}: ${violation}`));
      await screen.picture(`${name}-${colorScheme}`);
    }
    expect(found).toEqual([]);
    expect(screen.complaints).toEqual([]);
  });
});

test('a narrow window and French text lose nothing at the side', async () => {
  await using screen = await Screen.open(browser, { locale: 'fr-FR', viewport: { width: 900, height: 700 } });
  const wide: string[] = [];
  for (const name of ['home', 'sphere', 'people', 'picker', 'transfers', 'settings']) {
    await WAYS[name]?.(screen);
    const overflow: number = await screen.page.evaluate('document.documentElement.scrollWidth - innerWidth');
    if (overflow > 0) wide.push(name);
    await screen.picture(`${name}-narrow-french`);
  }
  expect(wide).toEqual([]);
  await screen.goHome();
  expect(await screen.page.getByRole('heading', { level: 1 }).textContent()).toBe('Vos sphères');
  expect(await screen.page.getAttribute('html', 'lang')).toBe('fr');
});
