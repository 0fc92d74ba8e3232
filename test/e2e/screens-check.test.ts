import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeFacts, fakeLackingServer, fakeNetwork, fakePort, fakeTroubledFacts } from '../fixtures/fake-doctor.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

async function openCheck(screen: Screen): Promise<void> {
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.by('open-check').scrollIntoViewIfNeeded();
  await screen.picture('check-in-settings');
  await screen.by('open-check').click();
  await screen.by('check-page').waitFor();
}

const verdict = (screen: Screen, word: string) =>
  screen.page.locator(`[data-testid=check-verdict][data-verdict=${word}]`).waitFor();
const area = (screen: Screen, name: string) => screen.page.locator(`[data-testid=check-area][data-area=${name}]`);
const person = (screen: Screen, name: string) =>
  screen.page.locator(`[data-testid=check-person][data-jid="${name}@example.org"]`);

describe('the connection check', () => {
  test('tells live what it looks at, and in the end that everything works', async () => {
    await using screen = await Screen.open(browser);
    const looked = Promise.withResolvers<void>();
    screen.engine.checking = () => looked.promise;
    await openCheck(screen);
    await verdict(screen, 'looking');
    expect(await area(screen, 'router').getAttribute('data-severity')).toBe('running');
    await expect.poll(() => area(screen, 'server').getAttribute('data-severity')).toBe('ok');
    expect(await area(screen, 'router').getAttribute('data-severity')).toBe('running');
    await screen.picture('check-looking');
    looked.resolve();
    await verdict(screen, 'ok');
    expect(await area(screen, 'router').textContent()).toContain('lets others come to you');
    const again = Promise.withResolvers<void>();
    screen.engine.checking = () => again.promise;
    await screen.by('check-again').click();
    await verdict(screen, 'looking');
    again.resolve();
    await verdict(screen, 'ok');
    expect(screen.engine.calls.filter((call) => call === 'check')).toHaveLength(2);
    expect(screen.complaints).toEqual([]);
  });

  test('says what does not work, why each person is reached as they are, and what to do', async () => {
    await using screen = await Screen.open(browser);
    screen.engine.doctorFacts = fakeTroubledFacts();
    await openCheck(screen);
    await verdict(screen, 'problem');
    expect(await area(screen, 'router').textContent()).toContain('Switch on UPnP');
    expect(await person(screen, 'ben').textContent()).toContain('your own network');
    expect(await person(screen, 'chloe').textContent()).toContain('everything goes through the server');
    expect(await person(screen, 'chloe').textContent()).toContain('Neither your router nor theirs opens a door.');
    expect(await person(screen, 'paul').textContent()).toContain('there is no way to each other yet');
    expect(await person(screen, 'paul').getByTestId('check-advice').textContent()).toContain('leave one computer on');
    expect(await person(screen, 'lise').textContent()).toContain('Not online.');
    expect(screen.complaints).toEqual([]);
  });

  test('is asked about one person from the list of people', async () => {
    await using screen = await Screen.open(browser);
    screen.engine.doctorFacts = fakeTroubledFacts();
    await screen.goToSphere();
    await screen.by('panel-people').click();
    await screen.picture('check-in-people');
    const row = screen.page.locator('[data-testid=member][data-jid="ben@example.org"]');
    await screen.choose(row.getByTestId('member-menu'), /Check the connection/);
    await person(screen, 'ben').waitFor();
    expect(await screen.by('check-person').count()).toBe(1);
  });

  test('is asked about a transfer that is slow', async () => {
    await using screen = await Screen.open(browser);
    for (const item of screen.engine.world.items) item.downBps = Math.min(item.downBps, 40_000);
    screen.engine.doctorFacts = fakeTroubledFacts();
    await screen.goHome();
    await screen.by('nav-transfers').click();
    await screen.picture('check-in-transfers');
    await screen.by('transfer-why').first().click();
    await verdict(screen, 'problem');
    await screen.picture('check-of-transfer');
    expect(await screen.by('check-person').count()).toBe(3);
    await screen.page.getByText('Show everybody').click();
    await screen.page.getByText('Show everybody').waitFor({ state: 'detached' });
  });

  test('a report that is copied holds no address, name or folder unless the person shows them', async () => {
    await using screen = await Screen.open(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
    screen.engine.doctorFacts = fakeTroubledFacts();
    await openCheck(screen);
    await verdict(screen, 'problem');
    const copied = (): Promise<string> => screen.page.evaluate<string>('navigator.clipboard.readText()');
    const secrets = ['192.168.1.20', '198.18.0.7', 'anna@', 'chloe', 'Paul', '/home/anna', 'Summer by the sea'];
    await screen.by('check-copy').click();
    await screen.page.getByText('The report is copied').waitFor();
    const text = await copied();
    expect(text).toContain('[warning] The door of your router: Your router does not open doors by itself.');
    expect(text).toContain('TLSv1.3');
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    await screen.by('check-technical').click();
    await screen.by('check-show-all').check();
    await screen.by('check-copy').click();
    // That it is copied may still be said of the first one.
    await expect.poll(copied).toContain('chloe@example.org');
    expect(await copied()).toContain('192.168.1.20');
  });

  test('lists what the server can do, with the lines that whoever runs it has to add', async () => {
    await using screen = await Screen.open(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
    screen.engine.doctorFacts = fakeFacts({ server: fakeLackingServer('room-archive', 'channel-binding') });
    await openCheck(screen);
    await verdict(screen, 'warning');
    expect(await area(screen, 'server').textContent()).toContain('What your server can do');
    await screen.by('check-server-open').click();
    const ability = (name: string) => screen.page.locator(`[data-testid=check-ability][data-ability=${name}]`);
    expect(await ability('archive').getAttribute('data-state')).toBe('has');
    expect(await ability('room-archive').textContent()).toContain('"muc_mam"');
    expect(await ability('room-archive').textContent()).not.toContain('mod_mam');
    expect(await ability('channel-binding').textContent()).toContain('A newer version');
    await ability('room-archive').scrollIntoViewIfNeeded();
    await screen.picture('check-server');
    expect(await screen.violations()).toEqual([]);
    await screen.by('check-server-copy').click();
    await screen.page.getByText('The lines are copied').waitFor();
    const copied = await screen.page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied).toMatch(/^XEP-0313, Prosody:\nComponent "rooms\.example\.org" "muc"\n/);
    expect(screen.complaints).toEqual([]);
  });

  test('without an account it says so and asks nothing else of the network', async () => {
    await using screen = await Screen.open(browser);
    screen.engine.doctorFacts = fakeFacts({ account: null, server: null, network: null, disks: [] });
    await openCheck(screen);
    await verdict(screen, 'problem');
    expect(await area(screen, 'server').getAttribute('data-codes')).toBe('signed-out');
    expect(await area(screen, 'router').count()).toBe(0);
  });
});

describe('the connection check looks right', () => {
  const lied = fakeFacts({ network: fakeNetwork({ ports: [fakePort({ state: 'lied' })] }) });
  const looks = [
    { name: 'with every trouble, in French', locale: 'fr-FR', facts: fakeTroubledFacts() },
    { name: 'behind a router that lies, in English', locale: 'en-GB', facts: lied },
  ];

  test.each(looks)('$name', async ({ locale, facts }) => {
    await using screen = await Screen.open(browser, { locale });
    screen.engine.doctorFacts = facts;
    await screen.page.goto(`${screen.engine.url}#/check`);
    await screen.page.locator('[data-testid=check-verdict]:not([data-verdict=looking])').waitFor();
    await screen.by('check-technical').click();
    await screen.by('check-lines').scrollIntoViewIfNeeded();
    expect(await screen.looks(`check-${locale.slice(0, 2)}`)).toEqual([]);
    await screen.page.setViewportSize({ width: 400, height: 2600 });
    expect(await screen.property(screen.by('check-page'), 'scrollWidth')).toBeLessThanOrEqual(400);
    await screen.picture(`check-${locale.slice(0, 2)}-whole`);
    expect(screen.complaints).toEqual([]);
  });
});
