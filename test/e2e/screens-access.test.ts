import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** Opens the application, or goes back to its first page as a person would: that costs no new page. */
async function home(screen: Screen): Promise<void> {
  if (!screen.page.url().startsWith(screen.engine.url)) return screen.goHome();
  await screen.page.keyboard.press('Escape');
  await screen.by('nav-home').click();
  await screen.by('sphere-card').first().waitFor();
}

async function sphere(screen: Screen): Promise<void> {
  await home(screen);
  await screen.by('sphere-card').first().click();
  await screen.by('item-card').first().waitFor();
}

/** Each screen a person can come to, and the way there. */
const WAYS: Readonly<Record<string, (screen: Screen) => Promise<void>>> = {
  home,
  'new-sphere': async (screen) => {
    await home(screen);
    await screen.by('new-sphere').click();
    await screen.by('new-sphere-name').waitFor();
  },
  sphere,
  people: async (screen) => {
    await sphere(screen);
    await screen.by('panel-people').click();
    await screen.by('member').first().waitFor();
  },
  picker: async (screen) => {
    await sphere(screen);
    await screen.by('add').click();
    await screen.by('picker-entry').first().waitFor();
  },
  player: async (screen) => {
    await sphere(screen);
    await screen.tile('Boat trip').getByTestId('item-open').click();
    await screen.by('player-video').waitFor();
  },
  elsewhere: async (screen) => {
    await sphere(screen);
    await screen.tile('HEVC').getByTestId('item-open').click();
    await screen.by('player-message').waitFor();
  },
  folder: async (screen) => {
    await sphere(screen);
    await screen.tile('Songs we danced').getByTestId('item-open').click();
    await screen.by('folder-file').first().waitFor();
  },
  transfers: async (screen) => {
    await home(screen);
    await screen.by('nav-transfers').click();
    await screen.by('transfer').first().waitFor();
  },
  settings: async (screen) => {
    await home(screen);
    await screen.by('nav-settings').click();
    await screen.by('advanced').click();
  },
};

test('the sign-in screen is accessible', async () => {
  await using screen = await Screen.open(browser, { signedIn: false });
  await screen.page.goto(screen.engine.url);
  await screen.by('sign-in-form').waitFor();
  expect(await screen.looks('sign-in')).toEqual([]);
});

test('every screen is accessible in both colours, asks nobody outside and keeps to the policy', async () => {
  await using screen = await Screen.open(browser);
  const found: string[] = [];
  for (const [name, go] of Object.entries(WAYS)) {
    await go(screen);
    found.push(...(await screen.violationsInBothColours()).map((violation) => `${name}, ${violation}`));
    await screen.picture(name);
  }
  expect(found).toEqual([]);
  expect(screen.complaints).toEqual([]);
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
