import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import type { ContactView } from '../../src/contract/people.ts';
import { fakeContact, fakeLine } from '../fixtures/fake-people.ts';
import { landscape } from '../fixtures/landscape.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

async function people(options: Parameters<typeof Screen.open>[1] = {}): Promise<Screen> {
  const screen = await Screen.open(browser, options);
  await screen.goHome();
  await screen.by('nav-people').click();
  await screen.by('person-row').first().waitFor();
  return screen;
}

test('one talks with a person: what came is read, what is written stands at the end', async () => {
  await using screen = await people();
  await screen.picture('people-list');
  expect(await screen.violations()).toEqual([]);
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  await screen.page.getByText('And the cake').last().waitFor();
  await screen.by('message-box').fill('I will bake two.');
  await screen.by('message-send').click();
  await screen.by('message').filter({ hasText: 'I will bake two.' }).waitFor();
  await screen.picture('people-talk');
  expect(await screen.violations()).toEqual([]);
  expect(screen.engine.world.people.find(({ jid }) => jid === 'ben@example.org')?.unread).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('what was said to a person is changed, and is taken back for good only after a question; one sees them write', async () => {
  await using screen = await people();
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  const box = screen.by('message-box');
  await box.fill('I will bake two.');
  await box.press('Enter');
  const lines = screen.by('message');
  const use = async (text: string, tool: string): Promise<void> => {
    await lines.filter({ hasText: text }).last().hover();
    await lines.filter({ hasText: text }).last().getByTestId(tool).click();
  };
  await use('I will bake two.', 'message-menu');
  await screen.page.getByRole('menuitem', { name: 'Change' }).click();
  await box.fill('I will bake three.');
  await box.press('Enter');
  await lines.filter({ hasText: 'I will bake three.' }).getByTestId('message-edited').waitFor();
  await use('I will bake three.', 'message-menu');
  await screen.page.getByRole('menuitem', { name: 'Delete for everybody' }).click();
  await screen.picture('people-delete-for-good');
  await screen.by('confirm').click();
  const gone = lines.filter({ hasText: 'You deleted this message' });
  await gone.waitFor();
  expect(await gone.getByTestId('message-menu').count()).toBe(0);
  const ben = screen.engine.world.people.find(({ jid }) => jid === 'ben@example.org');
  if (ben === undefined) throw new Error('ben is not there');
  screen.engine.emit({ kind: 'typing', sphereId: ben.conversationId, people: ['Ben'] });
  await screen.page.getByText('Ben is writing…').waitFor();
  await screen.picture('people-typing');
  expect(await screen.violations()).toEqual([]);
  expect(screen.complaints).toEqual([]);
});

test('a device of a person that nobody vouched for asks for a word in the talk, and what was said of it can be said otherwise', async () => {
  await using screen = await people();
  const ben = screen.engine.world.people.find(({ jid }) => jid === 'ben@example.org');
  if (ben === undefined) throw new Error('ben is not there');
  const device = { deviceId: 31_337, choice: 'open' as const, sinceMs: Date.now() };
  screen.engine.emit({ kind: 'contact', contact: Object.assign(ben, { devices: [device] }) });
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  const row = screen.by('strange-device');
  expect(await row.textContent()).toContain('It does not get your messages.');
  expect(await screen.looks('people-strange-device')).toEqual([]);
  await row.getByTestId('strange-device-out').click();
  await row.waitFor({ state: 'detached' });
  await screen.by('person-menu').click();
  await screen.page.getByRole('menuitem', { name: 'Devices nobody vouched for' }).click();
  const listed = screen.by('person-device');
  expect(await listed.getAttribute('data-choice')).toBe('left-out');
  await screen.picture('people-devices');
  expect(await screen.violations()).toEqual([]);
  await listed.getByTestId('person-device-in').click();
  await listed.getByText('Reads your messages').waitFor();
  expect(ben.conversationId).toBeDefined();
  expect(screen.complaints).toEqual([]);
});

test('somebody whom one meets in no sphere is compared by the devices of their program, by telephone or by its code', async () => {
  await using screen = await people();
  const jid = parseBareJid('hugo@example.com');
  await screen.page.locator(`[data-testid=person-row][data-jid="${jid}"]`).click();
  await screen.by('person-menu').click();
  await screen.picture('people-menu');
  await screen.page.getByRole('menuitem', { name: 'Make sure it is Hugo' }).click();
  const devices = screen.by('compared-device');
  await devices.first().waitFor();
  expect(await devices.first().getByTestId('fingerprint').textContent()).toMatch(
    /^\s*([0-9a-f]{8} ){7}[0-9a-f]{8}\s*$/,
  );
  expect(await screen.looks('people-compare-devices')).toEqual([]);
  // Two rows have the same buttons: each says which fingerprint it is about.
  const about = await devices.last().getByTestId('device-same').getAttribute('aria-describedby');
  expect(
    await devices
      .last()
      .locator(`[id="${about ?? ''}"]`)
      .getByTestId('fingerprint')
      .count(),
  ).toBe(1);
  await devices.first().getByTestId('device-differs').click();
  await screen.page.getByText('A device that gets nothing from you').waitFor();
  await devices.last().getByTestId('device-same').click();
  await screen.page.getByText('A device that you compared').waitFor();
  await screen.picture('people-compared-devices');
  const buffer = await screen.by('qr-code').screenshot();
  await screen.by('code-file').setInputFiles({ name: 'own.png', mimeType: 'image/png', buffer });
  await screen.by('code-problem').getByText('This is the code of anna@example.org, not of Hugo.').waitFor();
  expect(await screen.violations()).toEqual([]);
  await screen.by('compare-close').click();
  await screen.by('person-compared').waitFor();
  expect(screen.complaints).toEqual([]);
});

test('whoever takes back the only device that they compared reads that each device is asked about from then on', async () => {
  await using screen = await people({ locale: 'fr-FR' });
  await screen.page.locator('[data-testid=person-row][data-jid="hugo@example.com"]').click();
  await screen.picture('person-blind');
  const compare = async (): Promise<void> => {
    await screen.by('person-menu').click();
    await screen.page.getByRole('menuitem', { name: 'Vérifier que c’est bien Hugo' }).click();
    await screen.by('compared-device').first().waitFor();
  };
  await compare();
  const line = screen.by('trust-line');
  expect(await line.getAttribute('data-trust')).toBe('blind');
  const device = screen.by('compared-device').first();
  await device.getByTestId('device-same').click();
  await line.getByText('Vous avez vérifié que c’est bien Hugo').waitFor();
  await screen.picture('person-compared-dialog');
  await screen.by('compare-close').click();
  await screen.by('person-compared').waitFor();
  await screen.picture('person-compared');
  await compare();
  await device.getByTestId('device-differs').click();
  await line.getByText('ne vaut plus').waitFor();
  expect(await screen.by('compare-warning').textContent()).toContain('aucun nouvel appareil n’est accepté');
  // The title is not squeezed by what is below it.
  const [dialog, title] = [screen.page.getByRole('dialog'), screen.page.getByText('Est-ce vraiment Hugo ?')];
  const [box, text] = [await dialog.boundingBox(), await title.boundingBox()];
  expect((text?.y ?? 0) - (box?.y ?? 0)).toBeGreaterThan(12);
  expect(await screen.looks('person-taken-back-dialog')).toEqual([]);
  await screen.by('compare-close').click();
  await screen.by('person-asked').waitFor();
  await screen.picture('person-taken-back');
  expect(await screen.violations()).toEqual([]);
  expect(screen.complaints).toEqual([]);
});

test('whom one meets in a sphere is compared by number from the talk as well', async () => {
  await using screen = await people({ locale: 'fr-FR' });
  const [member] = screen.engine.world.spheres.flatMap(({ members }) => members.filter(({ isMe }) => !isMe));
  if (member === undefined) throw new Error('nobody else is there');
  screen.engine.emit({ kind: 'contact', contact: fakeContact(member.jid, member.name) });
  await screen.page.locator(`[data-testid=person-row][data-jid="${member.jid}"]`).click();
  await screen.by('person-menu').click();
  await screen.page.getByRole('menuitem', { name: `Vérifier que c’est bien ${member.name}` }).click();
  expect(await screen.by('number-theirs').textContent()).toBe('5528 0199 6410 8873 1204');
  expect(await screen.by('words-theirs').textContent()).toBe('rivage bougie orbite abricot tunnel violon');
  await screen.page.keyboard.press('Escape');
  await screen.page.locator('[data-testid=person-row][data-jid="hugo@example.com"]').click();
  await screen.by('person-menu').click();
  await screen.page.getByRole('menuitem', { name: 'Vérifier que c’est bien Hugo' }).click();
  await screen.by('compared-device').first().waitFor();
  await screen.picture('people-compare-devices-fr');
  expect(await screen.violations()).toEqual([]);
});

test('somebody is added by address and can be written to at once', async () => {
  await using screen = await people();
  await screen.by('person-add').click();
  await screen.by('person-address').fill('zoe');
  await screen.by('person-keep').click();
  await screen.page.getByText('This is not a complete address').waitFor();
  await screen.by('person-address').fill('zoe@example.org');
  await screen.by('person-called').fill('Zoé');
  await screen.picture('people-add');
  expect(await screen.violations()).toEqual([]);
  await screen.by('person-keep').click();
  await screen.by('person-page').waitFor();
  expect(await screen.by('person-name').textContent()).toBe('Zoé');
  expect(await screen.by('person-line').textContent()).toContain('no answer yet');
  await screen.by('message-box').waitFor();
});

test('a stranger waits in requests, disturbs nobody, and cannot be written to before the answer', async () => {
  await using screen = await people({ locale: 'fr-FR' });
  expect(await screen.page.locator('[data-testid=person-row][data-jid="sam@elsewhere.example"]').count()).toBe(0);
  await screen.by('requests-link').click();
  await screen.by('request').waitFor();
  await screen.picture('people-requests-fr');
  expect(await screen.violations()).toEqual([]);
  await screen.by('request').getByRole('link').click();
  await screen.by('person-page').waitFor();
  expect(await screen.by('message-box').count()).toBe(0);
  await screen.by('request-accept').click();
  await screen.by('message-box').waitFor();
  await expect.poll(() => screen.by('requests-link').count()).toBe(0);
});

test('one’s own code, read back out of its picture, names the person who is added', async () => {
  await using screen = await people();
  await screen.by('my-code').click();
  const code = screen.by('qr-code');
  await code.waitFor();
  expect(await screen.by('my-link').textContent()).toBe('xmpp:anna@example.org?roster');
  await screen.picture('people-code');
  expect(await screen.violations()).toEqual([]);
  const buffer = await code.screenshot();
  await screen.page.keyboard.press('Escape');
  await screen.by('person-add').click();
  await screen.by('code-file').setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer });
  await expect.poll(() => screen.by('person-address').inputValue()).toBe('anna@example.org');
  const empty = {
    name: 'empty.png',
    mimeType: 'image/png',
    buffer: await screen.page.screenshot({ clip: { x: 300, y: 700, width: 60, height: 60 } }),
  };
  await screen.by('code-file').setInputFiles(empty);
  await screen.page.getByText('That is not the code of a person').waitFor();
  await screen.by('person-address').fill('xmpp:zoe@example.org?roster;name=Zoé');
  await expect.poll(() => screen.by('person-called').inputValue()).toBe('Zoé');
  expect(screen.complaints).toEqual([]);
});

test('a stranger who only invites is blocked and reported from the invitation, which is gone with that', async () => {
  await using screen = await people();
  const [invitation] = screen.engine.world.invitations;
  if (invitation === undefined) throw new Error('nobody invites');
  const from = parseBareJid('spam@elsewhere.example');
  const ofStranger = { ...invitation, id: 'invitation-2', from, fromStranger: true };
  screen.engine.world.invitations.push(ofStranger);
  screen.engine.emit({ kind: 'invitation', invitation: ofStranger });
  await screen.by('requests-link').click();
  await screen.by('invitation').waitFor();
  await screen.picture('people-invitation-of-stranger');
  expect(await screen.violations()).toEqual([]);
  await screen.by('invitation-menu').click();
  await screen.page.getByRole('menuitem', { name: 'Block' }).click();
  await screen.page.getByRole('checkbox', { name: 'Tell your server that they send spam' }).click();
  await screen.picture('people-block-and-report');
  expect(await screen.violations()).toEqual([]);
  await screen.by('block-confirm').click();
  await screen.by('invitation').waitFor({ state: 'detached' });
  await screen.by('block-confirm').waitFor({ state: 'detached' });
  expect(screen.engine.calls).toContain('block spam@elsewhere.example, report: true');
  // Somebody whom one knows is blocked where they are.
  await screen.goHome();
  await screen.by('invitation').waitFor();
  expect(await screen.by('invitation-menu').count()).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('somebody is blocked, and nobody hears of it who was not told to', async () => {
  await using screen = await people();
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  await screen.by('person-menu').click();
  await screen.page.getByRole('menuitem', { name: 'Block' }).click();
  await screen.by('block-confirm').waitFor();
  await screen.picture('people-block');
  expect(await screen.violations()).toEqual([]);
  await screen.by('block-confirm').click();
  await expect.poll(() => screen.by('person-line').textContent()).toContain('Blocked');
  expect(screen.engine.calls).toContain('block ben@example.org, report: false');
  expect(await screen.by('message-box').count()).toBe(0);
});

function theBen(screen: Screen): ContactView {
  const ben = screen.engine.world.people.find(({ jid }) => jid === 'ben@example.org');
  if (ben === undefined) throw new Error('ben is not there');
  return ben;
}

function setUnread(screen: Screen, unread: number): void {
  const contact = { ...theBen(screen), unread };
  screen.engine.world.people.splice(screen.engine.world.people.indexOf(theBen(screen)), 1, contact);
  screen.engine.emit({ kind: 'contact', contact });
}

async function shareWith(screen: Screen, name: string): Promise<void> {
  await screen.by('person-share').click();
  await screen.page.locator(`[data-testid=picker-entry][data-name="${name}"]`).click();
  await screen.by('picker-share').click();
}

test('what is shared with one person needs no sphere, and stands between the words and in a gallery of its own', async () => {
  await using screen = await people();
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  await screen.by('person-page').waitFor();
  expect(await screen.by('person-shared').count()).toBe(0);
  await shareWith(screen, 'holiday.mp4');
  const card = screen.by('message').filter({ hasText: 'holiday.mp4' });
  await card.waitFor();
  await screen.by('message').filter({ hasText: 'And the cake' }).waitFor();
  await shareWith(screen, 'notes.txt');
  await screen.by('message').filter({ hasText: 'notes.txt' }).waitFor();
  await screen.by('share-jobs').waitFor({ state: 'detached' });
  await screen.picture('people-shared-talk');
  expect(await screen.violations()).toEqual([]);
  expect(screen.engine.world.spheres.filter(({ partner }) => partner === 'ben@example.org')).toHaveLength(1);
  await screen.by('person-shared').click();
  await screen.by('item-card').nth(1).waitFor();
  await screen.picture('people-shared');
  expect(await screen.violations()).toEqual([]);
  await screen.by('item-open').last().click();
  await screen.by('player-back').click();
  await screen.by('person-shared').waitFor();
  expect(await screen.by('item-card').count()).toBe(2);
  // Among the spheres it is not listed.
  await screen.goHome();
  expect(await screen.page.getByText('Ben Moreau', { exact: true }).count()).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('a line is read only when it is on the screen, not while one looks at what is shared', async () => {
  await using screen = await people();
  const ben = theBen(screen);
  await screen.page.locator('[data-testid=person-row][data-jid="ben@example.org"]').click();
  await expect.poll(() => theBen(screen).unread).toBe(0);
  await shareWith(screen, 'holiday.mp4');
  await screen.by('person-shared').click();
  await screen.by('item-card').waitFor();
  const message = fakeLine(ben, false, 'The bus is late');
  screen.engine.world.messages.push(message);
  screen.engine.emit({ kind: 'message', message });
  setUnread(screen, 1);
  await screen.page
    .locator('[data-testid=person-row][data-jid="ben@example.org"]')
    .getByText('1', { exact: true })
    .waitFor();
  await screen.settled();
  expect(theBen(screen).unread).toBe(1);
  await screen.by('person-shared').click();
  await expect.poll(() => theBen(screen).unread).toBe(0);
  await screen.page.getByText('The bus is late').last().waitFor();
  // The engine counts a moment later what is on the screen by then.
  setUnread(screen, 1);
  await expect.poll(() => theBen(screen).unread).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('people have faces where they stand, and one gives oneself a name and a picture', async () => {
  await using screen = await people();
  await screen.page
    .locator('[data-testid=person-row][data-jid="ben@example.org"]')
    .getByTestId('person-picture')
    .waitFor();
  await screen.picture('people-faces');
  await screen.by('account-chip').click();
  await screen.by('profile-change').click();
  await screen.by('profile-name').fill('Anna 🌊');
  const buffer = await landscape(3, 900, 600);
  await screen.by('profile-file').setInputFiles({ name: 'me.webp', mimeType: 'image/webp', buffer });
  await screen.by('profile').getByTestId('person-picture').waitFor();
  await screen.picture('profile');
  expect(await screen.violations()).toEqual([]);
  await screen.by('profile-keep').click();
  await screen.by('profile').waitFor({ state: 'detached' });
  await screen.by('account-chip').getByText('Anna 🌊').waitFor();
  await screen.by('account-chip').getByTestId('person-picture').waitFor();
  await screen.picture('profile-kept');
  expect(screen.complaints).toEqual([]);
});
