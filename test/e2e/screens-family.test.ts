import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { xmppUriOf } from '../../src/base/xmpp-uri.ts';
import type { ItemView } from '../../src/contract/views.ts';
import { fakeFile, fakeItem, fakeMember, fakeMessage, ME } from '../fixtures/fake-views.ts';
import { familyWorld } from '../fixtures/fake-world.ts';
import { landscape } from '../fixtures/landscape.ts';
import { cameraArguments, filmOfCode } from './fake-camera.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const FRENCH = { locale: 'fr-FR' };

function theSea(screen: Screen) {
  const [sea] = screen.engine.world.spheres;
  if (sea === undefined) throw new Error('no sphere');
  return sea;
}

test.concurrent('an organiser looks at a picture before the sphere gets it; then all see it, and those without that right cannot change it', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  const sea = theSea(screen);
  await screen.goToSphere();
  await screen.by('panel-people').click();
  await screen.by('rename').click();
  await screen
    .by('sphere-picture-file')
    .setInputFiles({ name: 'a.txt', mimeType: 'image/png', buffer: Buffer.from('a') });
  await screen.page.getByRole('alert').getByText('n’est pas une image').waitFor();
  const buffer = await landscape(3, 900, 600);
  await screen.by('sphere-picture-file').setInputFiles({ name: 'us.webp', mimeType: 'image/webp', buffer });
  await screen.by('sphere-picture-no-picture').waitFor();
  expect(await screen.looks('sphere-picture-chosen')).toEqual([]);
  expect(sea.pictureUrl).toBeNull();
  await screen.by('rename-confirm').click();
  await screen.by('rename-confirm').waitFor({ state: 'detached' });
  const picture = screen.page.locator('header img[src^="data:image/png"], nav img[src^="data:image/png"]');
  await expect.poll(() => picture.count()).toBe(2);
  await screen.picture('sphere-picture');
  // As somebody sees it who has no say in that.
  sea.myRole = 'member';
  await screen.goHome();
  await screen.by('sphere-picture').waitFor();
  await screen.picture('sphere-picture-home');
  expect(await screen.violations()).toEqual([]);
  await screen.goToSphere();
  await screen.by('panel-people').click();
  await screen.by('leave').waitFor();
  expect([await picture.count(), await screen.by('rename').count()]).toEqual([2, 0]);
  sea.myRole = 'owner';
  await screen.goToSphere();
  await screen.by('panel-people').click();
  await screen.by('rename').click();
  await screen.by('sphere-picture-no-picture').click();
  await screen.by('rename-confirm').click();
  await expect.poll(() => sea.pictureUrl).toBeNull();
  await expect.poll(() => picture.count()).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test.concurrent('a wrong address is told in the form and at the row, and the address stays to be corrected', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('panel-people').click();
  await screen.by('invite-address').fill('nobody@example.org');
  await screen.by('invite-send').click();
  await screen.page.getByText('Check how it is written').waitFor();
  expect(await screen.by('invite-address').inputValue()).toBe('nobody@example.org');
  const row = screen.page.locator('[data-testid=member][data-jid="nobody@example.org"]');
  expect(await row.getByTestId('member-line').textContent()).toContain('There seems to be nobody at this address');
  await screen.picture('people-nobody-there');
  expect(await screen.violations()).toEqual([]);
});

test.concurrent('the numbers of two people are shown to be compared, and whom one knows by them has a sign', async () => {
  await using screen = await Screen.open(browser);
  const other = theSea(screen).members.find(({ isMe }) => !isMe);
  if (other === undefined) throw new Error('nobody else is there');
  Object.assign(other, { identity: 'changed', isForked: true });
  await screen.goToSphere();
  await screen.by('panel-people').click();
  const row = screen.page.locator(`[data-testid=member][data-jid="${other.jid}"]`);
  await row.getByTestId('member-changed').waitFor();
  expect(await row.getByTestId('member-forked').count()).toBe(1);
  await screen.choose(row.getByTestId('member-menu'), /Compare/);
  await screen.by('number-theirs').waitFor();
  const numbers = [await screen.by('number-own').textContent(), await screen.by('number-theirs').textContent()];
  expect(numbers).toEqual(['0412 7730 9951 2086 3347', '5528 0199 6410 8873 1204']);
  expect(await screen.looks('people-numbers')).toEqual([]);
  await screen.by('verify-same').click();
  await row.getByTestId('member-verified').waitFor();
  await screen.picture('people-verified');
  expect(await row.getByTestId('member-changed').count()).toBe(0);
});

test.concurrent('the code of a person is read by the camera and compared, and that of somebody else proves nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'camera-'));
  const film = join(folder, 'code.y4m');
  const [sea] = (await familyWorld()).spheres;
  const { jid, person } = sea?.members.find(({ isMe }) => !isMe) ?? {};
  if (jid === undefined || person === undefined || person === null) throw new Error('nobody else is there');
  await filmOfCode(film, xmppUriOf(jid, null, person));
  const withCamera = await launchChromium(...cameraArguments(film));
  try {
    await using screen = await Screen.open(withCamera);
    await screen.goToSphere();
    await screen.by('panel-people').click();
    const row = screen.page.locator(`[data-testid=member][data-jid="${jid}"]`);
    await screen.choose(row.getByTestId('member-menu'), /Compare|Comparer/);
    const buffer = await screen.by('qr-code').screenshot();
    await screen.by('code-file').setInputFiles({ name: 'own.png', mimeType: 'image/png', buffer });
    await screen.by('code-problem').getByText('This is the code of anna@example.org').waitFor();
    await screen.settled();
    expect(await screen.violations()).toEqual([]);
    await screen.picture('people-code-compared');
    await screen.by('code-camera').click();
    await row.getByTestId('member-verified').waitFor();
    expect(screen.complaints).toEqual([]);
  } finally {
    await withCamera.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test.concurrent('who declined and who only the server lists are told apart, and can be invited', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  const sea = theSea(screen);
  const away = { online: false, person: null } as const;
  sea.members = [
    ...sea.members,
    fakeMember('marc@example.com', 'Marc', { ...away, state: 'declined' }),
    fakeMember('stranger@example.com', 'stranger', { ...away, state: 'waiting' }),
    fakeMember('jo@far.example', 'jo', { ...away, state: 'invited', trouble: 'server-silent' }),
  ];
  await screen.goToSphere();
  await screen.by('panel-people').click();
  const marc = screen.page.locator('[data-testid=member][data-state=declined]');
  await marc.waitFor();
  expect(await screen.looks('people-waiting')).toEqual([]);
  await marc.getByTestId('member-invite').click();
  await marc.waitFor({ state: 'detached' });
});

test.concurrent('a sphere whose server keeps us out says what becomes of the files and what to do', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  Object.assign(theSea(screen), { state: 'refused', myRole: 'member' });
  await screen.goToSphere();
  await screen.by('sphere-note').waitFor();
  expect(await screen.looks('sphere-refused')).toEqual([]);
});

test.concurrent('a sphere that ended is taken off the list, and the files stay', async () => {
  await using screen = await Screen.open(browser);
  Object.assign(theSea(screen), { state: 'removed', myRole: 'member' });
  await screen.goToSphere();
  await screen.by('forget').click();
  await screen.page.getByText('What you received stays on this computer, in /home/anna').waitFor();
  await screen.picture('sphere-forget');
  await screen.by('confirm').click();
  await screen.by('sphere-list').waitFor();
  expect(await screen.page.getByText('Summer by the sea').count()).toBe(0);
});

test.concurrent('without a connection the banner says so, and the sphere does not say it once more', async () => {
  await using screen = await Screen.open(browser);
  theSea(screen).state = 'offline';
  await screen.goToSphere();
  await screen.by('sphere-note').waitFor();
  screen.engine.emit({ kind: 'account', account: { jid: ME, state: 'offline', error: null } });
  await screen.by('banner').waitFor();
  await expect.poll(() => screen.by('sphere-note').count()).toBe(0);
});

test.concurrent('a film goes on where it was left, and from the beginning when asked', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  const [film] = screen.engine.world.items;
  if (film === undefined) throw new Error('no film');
  const seconds = () => screen.property(screen.by('player-video'), 'currentTime');
  const open = async (): Promise<void> => {
    await screen.tile(film.name).getByTestId('item-open').click();
    await expect.poll(seconds).toBeGreaterThan(0.2);
  };
  await open();
  expect(await screen.by('player-resumed').count()).toBe(0);
  const length = await screen.property(screen.by('player-video'), 'duration');
  const middle = Math.floor(length / 2);
  await screen.by('player-video').evaluate((node: object, to) => Reflect.set(node, 'currentTime', to), middle);
  await expect.poll(seconds).toBeGreaterThan(middle + 0.3);
  await screen.by('player-back').click();
  await expect.poll(() => screen.engine.positions.get(`${film.id}/0`) ?? 0).toBeGreaterThanOrEqual(middle * 1000);
  await open();
  await screen.by('player-resumed').waitFor();
  expect(await seconds()).toBeGreaterThanOrEqual(middle);
  await screen.picture('player-resumed');
  await screen.by('player-restart').click();
  await screen.by('player-resumed').waitFor({ state: 'detached' });
  expect(await seconds()).toBeLessThan(middle);
  expect(screen.complaints).toEqual([]);
});

test.concurrent('a folder of photos is looked at, and each opens from its picture', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  const photos = Array.from({ length: 9 }, (_, index) =>
    fakeFile(`Photo ${index + 1}.jpg`, 'image', { index, previewUrl: `/preview/${index + 1}` }),
  );
  const files = [...photos, fakeFile('Readme.txt', 'other', { index: 9, playable: 'no' })];
  const album = fakeItem(theSea(screen), 'Hundred photos', 'folder', { files, atMs: Date.now() });
  screen.engine.world.items.push(album);
  await screen.goToSphere();
  await screen.tile('Hundred photos').getByTestId('item-open').click();
  await expect.poll(() => screen.by('file-preview').count()).toBe(9);
  expect(await screen.looks('folder-album')).toEqual([]);
  await screen.by('folder-file').nth(3).click();
  await screen.by('folder-files').waitFor({ state: 'detached' });
});

test.concurrent('many shares at once are one card in the chat, and links are links in the lines of people who were verified', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  const sea = theSea(screen);
  const ben = sea.members[1];
  const chloe = sea.members[2];
  if (ben === undefined || chloe === undefined) throw new Error('nobody there');
  ben.identity = 'verified';
  const items: ItemView[] = Array.from({ length: 12 }, (_, index) =>
    fakeItem(sea, `Beach ${index}.jpg`, 'image', { previewUrl: `/preview/${index + 1}`, from: ben.jid }),
  );
  screen.engine.world.items.push(...items);
  for (const item of items) {
    const share = { kind: 'item', itemId: item.id, atMs: Date.now() } as const;
    screen.engine.world.messages.push(fakeMessage(sea, ben, `${item.name}`, share));
  }
  const said = 'The map: https://example.org/map?at=(1,2). And javascript:alert(1) is none.';
  screen.engine.world.messages.push(fakeMessage(sea, ben, said, { atMs: Date.now() }));
  screen.engine.world.messages.push(fakeMessage(sea, chloe, 'Or https://example.org/2', { atMs: Date.now() + 1 }));
  await screen.goToSphere();
  await screen.by('chat-shares').waitFor();
  const link = screen.page.locator('[data-testid=messages] a[target=_blank]');
  expect(await link.getAttribute('href')).toBe('https://example.org/map?at=(1,2)');
  expect(await link.getAttribute('rel')).toContain('noopener noreferrer');
  expect(await screen.looks('chat-shares')).toEqual([]);
  expect(await screen.by('plain-link').textContent()).toBe('https://example.org/2');
  await screen.by('plain-link-why').click();
  await screen.page.getByRole('dialog').getByText('comparé les numéros').waitFor();
  await screen.picture('plain-link');
  await screen.page.keyboard.press('Escape');
  await screen.by('chat-shares-more').click();
  await expect.poll(() => screen.by('chat-shares').locator('a').count()).toBe(12);
  expect(screen.complaints).toEqual([]);
});

test.concurrent('buttons under the mouse stay readable', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('add').hover();
  const violations = await screen.violationsInBothColours();
  await screen.by('panel-people').click();
  await screen.by('leave').click();
  await screen.by('confirm').hover();
  violations.push(...(await screen.violationsInBothColours()));
  expect(violations).toEqual([]);
});

test.concurrent('joining by an invitation that was just taken back says so in plain words', async () => {
  await using screen = await Screen.open(browser);
  screen.engine.closedRooms = true;
  await screen.goHome();
  await screen.by('invitation-join').click();
  await screen.page.getByText('marc@example.com may have taken the invitation back').first().waitFor();
  await screen.picture('invitation-taken-back');
  // It stays until the word of it comes: the server alone takes nothing away.
  expect(await screen.by('invitation').count()).toBe(1);
});

test.concurrent('what is given so slowly that it would read as zero is not among the transfers', async () => {
  await using screen = await Screen.open(browser);
  for (const item of screen.engine.world.items) item.upBps = item.upBps > 0 ? 300 : 0;
  Object.assign(screen.engine.state.swarm, { downBps: 0, upBps: 300 });
  await screen.goHome();
  await screen.by('nav-transfers').click();
  await screen.by('transfers-page').waitFor();
  expect(await screen.by('transfers-page').textContent()).not.toMatch(/(^|\D)0 kB\/s/);
});

test.concurrent('before somebody is removed one reads how much they have, and afterwards the conversation says it', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  const sea = theSea(screen);
  const ben = sea.members.find(({ isMe }) => !isMe);
  if (ben === undefined) throw new Error('nobody else is there');
  const { items } = screen.engine.world;
  for (const item of items) item.from = ME;
  for (const item of items.filter(({ sphereId }) => sphereId === sea.id).slice(0, 2)) item.from = ben.jid;
  Object.assign(sea, { itemCount: 40 });
  await screen.goToSphere();
  await screen.by('panel-people').click();
  const row = screen.page.locator(`[data-testid=member][data-jid="${ben.jid}"]`);
  await screen.choose(row.getByTestId('member-menu'), /Retirer/);
  await screen.page.getByText(`${ben.name} a déjà 2 des 40 éléments partagés ici`).waitFor();
  expect(await screen.looks('people-remove')).toEqual([]);
  await screen.by('confirm').click();
  await row.waitFor({ state: 'detached' });
  await screen.by('panel-chat').click();
  const note = screen.by('message').filter({ hasText: `Vous avez retiré ${ben.name}` });
  expect(await note.textContent()).toContain('qui garde ce qui lui est déjà arrivé, au moins 2 éléments.');
  await screen.picture('chat-removed');
  expect(screen.complaints).toEqual([]);
});
