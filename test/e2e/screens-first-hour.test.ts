import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** Elements whose right edge lies outside of a window of 400 pixels, though they can be seen. */
const OVER_THE_EDGE = `[...document.querySelectorAll('main *, aside *')]
  .filter((node) => {
    const { width, right } = node.getBoundingClientRect();
    return width > 1 && right > innerWidth + 1 && node.checkVisibility({ visibilityProperty: true });
  })
  .map((node) => node.tagName + ' ' + node.textContent.trim().slice(0, 40))`;

test('the refusal of an earlier try does not stay beside a wrong address', async () => {
  await using screen = await Screen.open(browser, { signedIn: false });
  await screen.page.goto(screen.engine.url);
  await screen.by('sign-in-jid').fill('anna@example.org');
  await screen.by('sign-in-password').fill('wrong');
  await screen.by('sign-in-submit').click();
  await screen.by('failure').waitFor();
  await screen.by('sign-in-jid').fill('Zoë Müller@example.org');
  await screen.by('sign-in-submit').click();
  await screen.page.getByText('This is not a complete address').waitFor();
  expect(await screen.by('failure').count()).toBe(0);
});

test('a server that cannot be one is told beside its field, and nothing is sent', async () => {
  await using screen = await Screen.open(browser, { signedIn: false });
  await screen.page.goto(screen.engine.url);
  await screen.by('sign-in-jid').fill('anna@example.org');
  await screen.by('sign-in-password').fill('right');
  await screen.by('sign-in-advanced').click();
  await screen.by('sign-in-server').fill('not a server:abc');
  await screen.by('sign-in-submit').click();
  await screen.page.getByText('This is not the name of a server').waitFor();
  expect(screen.engine.state.account).toBeNull();
  // A wrong server is never hidden by folding its field away.
  await screen.by('sign-in-advanced').click();
  await screen.by('sign-in-submit').click();
  await screen.page.getByText('This is not the name of a server').waitFor();
});

test('after signing out the next person begins on the first page, not in the settings', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.by('sign-out').click();
  await screen.by('confirm').click();
  await screen.by('sign-in-form').waitFor();
  expect(new URL(screen.page.url()).hash).toBe('#/');
});

test('the password is changed and the account deleted in the settings, each with the password of now', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.by('account-more').click();
  await screen.page.getByRole('menuitem', { name: 'Change the password' }).click();
  const change = screen.by('change-password');
  await change.getByLabel('Your password').fill('wrong');
  await change.getByLabel('New password').fill('short');
  await screen.by('change-password-submit').click();
  await change.getByText('at least 8 characters').waitFor();
  await change.getByLabel('New password').fill('long enough');
  await screen.by('change-password-submit').click();
  await change.getByText('This is not the password of this account.').waitFor();
  await screen.picture('account-change-password');
  await change.getByLabel('Your password').fill('right');
  await screen.by('change-password-submit').click();
  await screen.page.getByText('The password is changed.').first().waitFor();
  await screen.by('account-more').click();
  await screen.page.getByRole('menuitem', { name: 'Delete the account' }).click();
  await screen.by('delete-account').waitFor();
  await screen.picture('account-delete');
  await screen.by('delete-account').getByLabel('Your password').fill('right');
  await screen.by('delete-account-submit').click();
  await screen.by('sign-in-form').waitFor();
  expect(screen.engine.state.account).toBeNull();
});

test('everything of one’s own is written out, with copies of the files where one wants them', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.by('export').click();
  await screen.by('exported').waitFor();
  await screen.page.getByRole('checkbox', { name: 'With copies of the files' }).click();
  await screen.by('export').click();
  const exports = (): string[] => screen.engine.calls.filter((call) => call.startsWith('export'));
  await expect.poll(exports).toEqual(['export', 'export with files']);
  await screen.by('exported').getByText('/home/anna/Spherecast 2026-11-29').waitFor();
  await screen.by('export').scrollIntoViewIfNeeded();
  expect(await screen.looks('settings-export')).toEqual([]);
  expect(screen.complaints).toEqual([]);
});

test('who was invited is shown by address, is not counted, and the invitation can be taken back', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  const joined = screen.engine.world.spheres[0]?.members.filter(({ state }) => state === 'joined').length;
  expect(await screen.by('sphere-card').first().textContent()).toContain(`${joined} people`);
  await screen.goToSphere();
  await screen.by('panel-people').click();
  await screen.by('invite-address').fill('paula@example.com');
  await screen.by('invite-send').click();
  const paula = screen.page.locator('[data-testid=member][data-jid="paula@example.com"]');
  expect(await paula.textContent()).toContain('paula@example.com');
  expect(await screen.page.locator('header').first().textContent()).toContain(`${joined} people`);
  await screen.choose(paula.getByTestId('member-menu'), /Take back the invitation of paula@example.com/);
  await screen.page.getByText('They can no longer join').waitFor();
  await screen.by('confirm').click();
  await paula.waitFor({ state: 'detached' });
});

test('in a window as narrow as a telephone the panel fills the page and nothing hangs over the edge', async () => {
  await using screen = await Screen.open(browser, { viewport: { width: 400, height: 800 } });
  const found: Record<string, unknown> = {};
  await screen.goToSphere();
  found['sphere'] = await screen.page.evaluate(OVER_THE_EDGE);
  await screen.picture('telephone-sphere');
  for (const panel of ['people', 'chat']) {
    if (panel === 'people') await screen.by('panel-people').click();
    else await screen.by('tab-chat').click();
    await screen.settled();
    expect(await screen.by('sphere-name').isVisible()).toBe(false);
    found[panel] = await screen.page.evaluate(OVER_THE_EDGE);
    await screen.picture(`telephone-${panel}`);
  }
  await screen.by('panel-close').click();
  await screen.by('sphere-name').waitFor();
  await screen.by('nav-settings').click();
  await screen.by('advanced').click();
  found['settings'] = await screen.page.evaluate(OVER_THE_EDGE);
  await screen.picture('telephone-settings');
  expect(found).toEqual({ sphere: [], people: [], chat: [], settings: [] });
});

test('closing a file of a folder leads back to the folder, closing the folder to the sphere', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Songs we danced').getByTestId('item-open').click();
  for (const leave of ['button', 'key']) {
    await screen.by('folder-file').first().click();
    await screen.by('folder-files').waitFor({ state: 'detached' });
    if (leave === 'button') await screen.by('player-back').click();
    else await screen.page.keyboard.press('Escape');
    await screen.by('folder-files').waitFor();
  }
  await screen.page.keyboard.press('Escape');
  await screen.by('overlay').waitFor({ state: 'detached' });
  expect(await screen.page.evaluate(`document.getElementById('app').inert`)).toBe(false);
  expect(screen.complaints).toEqual([]);
});
