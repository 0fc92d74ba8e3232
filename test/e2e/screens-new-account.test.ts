import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProsody } from '../fixtures/prosody.ts';
import { Household } from './household.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** The page on which a newcomer chooses a server. */
async function openPicker(screen: Screen): Promise<void> {
  await screen.page.goto(screen.engine.url);
  await screen.by('sign-in-register').click();
  await screen.by('server-picker').waitFor();
}

/** Goes on to the name and password of an account at the server with this address. */
async function goTo(screen: Screen, domain: string): Promise<void> {
  await openPicker(screen);
  await screen.by('server-other').check();
  await screen.by('new-account-domain').fill(domain);
  await screen.by('new-account-next').click();
  await screen.by('new-account-name').fill('lea');
  await screen.by('new-account-password').fill('long enough');
}

describe('choosing a server', () => {
  test('shows who runs each, tells nobody anything, and needs a choice', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await openPicker(screen);
    expect(await screen.looks('new-account-servers')).toEqual([]);
    await screen.by('new-account-next').click();
    await screen.page.getByText('Please choose a server').waitFor();
    await screen.by('server-other').check();
    await screen.by('new-account-domain').fill('not a server');
    await screen.by('new-account-next').click();
    await screen.page.getByText('This is not the address of a server').waitFor();
    await screen.picture('new-account-own-server');
    expect(await screen.violations()).toEqual([]);
    await screen.by('server-jabber.fr').check();
    await screen.by('new-account-next').click();
    await screen.by('new-account-name').fill('Lea');
    await screen.page.getByText('Your address will be lea@jabber.fr').waitFor();
    expect(await screen.looks('new-account-name')).toEqual([]);
    expect(screen.engine.state.account).toBeNull();
    await screen.by('new-account-create').click();
    await screen.page.getByText('at least 8 characters').waitFor();
    expect(screen.engine.state.account).toBeNull();
    await screen.by('new-account-password').fill('long enough');
    // Whoever left now would get an account without seeing it.
    const isHeld = screen.page.locator('[data-testid=new-account-other-server]:disabled').waitFor();
    await screen.page.keyboard.press('Enter');
    await isHeld;
    await expect.poll(() => screen.engine.state.account?.jid).toBe('lea@jabber.fr');
    expect(screen.complaints).toEqual([]);
  });

  test('leads to the web page of a server that makes accounts only there, and back to signing in', async () => {
    await using screen = await Screen.open(browser, { signedIn: false, locale: 'fr-FR' });
    await openPicker(screen);
    await screen.by('server-disroot.org').check();
    await screen.by('new-account-next').click();
    expect(await screen.by('web-account-url').textContent()).toBe('https://user.disroot.org/');
    const link = screen.by('web-account-open');
    expect(await link.getAttribute('href')).toBe('https://user.disroot.org/');
    expect(await link.getAttribute('rel')).toContain('noopener');
    expect(await screen.looks('new-account-web-page')).toEqual([]);
    await screen.by('web-account-made').click();
    await screen.by('sign-in-form').waitFor();
    expect(await screen.by('sign-in-jid').getAttribute('placeholder')).toBe('anna@disroot.org');
    expect(screen.complaints).toEqual([]);
  });

  test('keeps what was chosen for whoever goes back', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await goTo(screen, 'example.org');
    await screen.by('new-account-other-server').click();
    expect(await screen.by('server-other').isChecked()).toBe(true);
    expect(await screen.by('new-account-domain').inputValue()).toBe('example.org');
    await screen.by('new-account-back').click();
    await screen.by('sign-in-form').waitFor();
  });

  test('takes an invitation, which says where the account is made and for which address', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await openPicker(screen);
    await screen.by('server-invited').check();
    await screen.by('new-account-link').fill('https://example.org/invite');
    await screen.by('new-account-next').click();
    await screen.page.getByText('This is not an invitation of a server').waitFor();
    await screen.picture('new-account-invitation');
    await screen.by('new-account-link').fill('xmpp:lea@example.org?register;preauth=T1');
    await screen.by('new-account-next').click();
    expect(await screen.by('new-account-name').inputValue()).toBe('lea');
    await screen.by('new-account-password').fill('long enough');
    expect(screen.engine.state.account).toBeNull();
    await screen.by('new-account-create').click();
    await expect.poll(() => screen.engine.state.account?.jid).toBe('lea@example.org');
  });
});

describe('a server that makes no account', () => {
  test('but has a web page for it shows its address, and what was made there is signed in with', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await goTo(screen, 'web.example');
    await screen.by('new-account-create').click();
    expect(await screen.by('web-account-url').textContent()).toBe('https://web.example/join');
    // Two ways on at once would be one too many.
    expect(await screen.by('new-account-create').count()).toBe(0);
    await screen.picture('new-account-elsewhere');
    await screen.by('web-account-made').click();
    expect(await screen.by('sign-in-jid').inputValue()).toBe('lea@web.example');
    await screen.by('sign-in-password').fill('right');
    await screen.by('sign-in-submit').click();
    await expect.poll(() => screen.engine.state.account?.jid).toBe('lea@web.example');
    expect(screen.complaints).toEqual([]);
  });

  test.each([
    ['closed.example', 'registration-refused', 'Only for members of the <b>club</b>.'],
    ['puzzle.example', 'registration-asks-more', 'which Spherecast cannot show'],
  ])('says why and what to do: %s', async (domain, code, words) => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await goTo(screen, domain);
    await screen.by('new-account-create').click();
    expect(await screen.by('failure').getAttribute('data-code')).toBe(code);
    expect(await screen.by('failure').textContent()).toContain(words);
    await screen.picture(`new-account-${code}`);
    expect(await screen.violations()).toEqual([]);
  });
});

test('whoever moves to another address can make the new account on the way', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.choose(screen.by('account-more'), /Use another address/);
  await screen.by('sign-in-register').click();
  await screen.by('server-yax.im').check();
  await screen.picture('new-account-move-server');
  await screen.by('new-account-next').click();
  await screen.by('new-account-name').fill('lea');
  await screen.by('new-account-password').fill('long enough');
  await screen.picture('new-account-move');
  expect(await screen.violations()).toEqual([]);
  await screen.by('new-account-create').click();
  await expect.poll(() => screen.engine.state.account?.jid).toBe('lea@yax.im');
  await screen.by('new-account').waitFor({ state: 'detached' });
  expect(screen.complaints).toEqual([]);
});

test('somebody without an account makes one on a server of their own, and is told when the name is taken', async () => {
  await using prosody = await startProsody({ users: { lea: 'somebody else' } });
  await using lea = await Household.start(browser, prosody, 'lea', '127.0.0.2');
  await lea.createAccount('long enough');
  expect(await lea.by('failure').getAttribute('data-code')).toBe('name-taken');
  await lea.by('new-account-name').fill('lea2');
  await lea.by('new-account-create').click();
  await lea.page.locator('[data-testid=account-chip][data-state=online]').waitFor();
  expect(await lea.by('account-chip').textContent()).toContain('lea2');
  await lea.picture('new-account-made');
  expect(lea.complaints).toEqual([]);
});
