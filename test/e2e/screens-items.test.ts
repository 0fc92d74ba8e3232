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
  await expect.poll(() => screen.engine.calls).toContain('remove delete');
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
  await expect.poll(() => screen.by('removed-items').count()).toBe(0);
  expect(screen.complaints).toEqual([]);
});

test('an item is deleted for everybody after a plain warning, and says so in the list of removed ones', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await choose(screen, 'Lighthouse', 'Delete for everybody');
  await screen.page.getByText('nobody can erase another person’s disk').waitFor();
  await screen.settled();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('delete-for-everybody');
  await screen.by('confirm').click();
  await screen.tile('Lighthouse').waitFor({ state: 'detached' });
  await expect.poll(() => screen.engine.calls).toContain('remove keep for everybody');
  await screen.by('removed-toggle').click();
  await screen.by('removed-item').getByText('Deleted for everybody by').waitFor();
  await screen.by('removed-item').scrollIntoViewIfNeeded();
  await screen.picture('deleted-items');
  await screen.by('removed-item').getByRole('button').click();
  await screen.tile('Lighthouse').waitFor();
  expect(screen.complaints).toEqual([]);
});

test('an item tells from its menu who has it, comes before others, and is checked again', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Boat trip').getByTestId('item-menu').focus();
  await screen.page.keyboard.press('Enter');
  await screen.page.getByRole('menuitemcheckbox', { name: 'Fetch first' }).click();
  const boat = screen.engine.state.items.find(({ name }) => name.startsWith('Boat trip'));
  await expect.poll(() => boat?.priority).toBe('high');
  await choose(screen, 'Lighthouse', 'Who has it');
  await screen.page.getByText('Complete copies elsewhere: ').waitFor();
  await screen.by('holder').getByText('has all of it').waitFor();
  await screen.by('holder').getByText('has 5').waitFor();
  await screen.settled();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('holders');
  await screen.page.keyboard.press('Escape');
  await choose(screen, 'Lighthouse', 'Check the file again');
  await screen.page.getByText('is undamaged').first().waitFor();
  await choose(screen, 'Lighthouse', 'Stop checking');
  expect(screen.complaints).toEqual([]);
});

test('of a folder that is not here one file is chosen, and the others stay away', async () => {
  await using screen = await Screen.open(browser);
  const songs = screen.engine.state.items.find(({ name }) => name === 'Songs we danced to');
  const away = songs?.files.map((file) => ({ ...file, isHere: false, isWanted: false }));
  Object.assign(songs ?? {}, { state: 'listed', path: null, bytesHave: 0, files: away });
  await screen.goToSphere();
  await screen.tile('Songs we danced to').getByRole('link').first().click();
  const choices = screen.by('download-file');
  await choices.first().waitFor();
  expect(await choices.count()).toBe(5);
  await screen.settled();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('choose-file');
  await screen.page.getByRole('button', { name: 'Download only 02 Salt and Sun.flac' }).click();
  await screen.page.getByText('on its way').waitFor();
  await expect.poll(() => choices.count()).toBe(4);
  expect(screen.complaints).toEqual([]);
});

test('sharing what is put into the folder of a sphere is switched off beside its people', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('panel-people').click();
  const watching = screen.page.getByRole('switch', { name: 'Share what I put into its folder' });
  expect(await watching.getAttribute('aria-checked')).toBe('true');
  expect(await screen.violations()).toEqual([]);
  await screen.picture('watch-folder');
  await watching.press('Space');
  await screen.page.getByRole('switch', { name: 'Share what I put', checked: false }).waitFor();
  expect(screen.complaints).toEqual([]);
});

test('public torrents are looked for among strangers once a person says so, after reading what they see of it', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.by('advanced').click();
  const search = screen.page.getByRole('switch', { name: 'Look for public torrents' });
  expect(await search.getAttribute('aria-checked')).toBe('false');
  await screen.page.getByText('they see the address of this computer').waitFor();
  await search.press('Space');
  await screen.page.getByRole('textbox', { name: 'Computers that are asked first' }).fill('192.0.2.1:6881');
  await screen.page.keyboard.press('Enter');
  await expect
    .poll(() => screen.engine.calls)
    .toEqual(
      expect.arrayContaining([
        'settings {"public":{"dht":true}}',
        'settings {"public":{"dhtNodes":["192.0.2.1:6881"]}}',
      ]),
    );
  expect(await screen.by('restart-needed').count()).toBe(0);
  expect(await screen.violations()).toEqual([]);
});

test('slower hours and a port of one’s own are set by a person, in words and by keyboard', async () => {
  await using screen = await Screen.open(browser);
  await screen.goHome();
  await screen.by('nav-settings').click();
  await screen.page.getByRole('switch', { name: 'Slow down at certain hours' }).press('Space');
  await screen.page.getByText('Weekdays').click();
  await screen.by('quiet-fromMinute').locator('input').or(screen.by('quiet-fromMinute')).last().fill('09:30');
  await screen.page.keyboard.press('Tab');
  await expect
    .poll(() => screen.engine.calls)
    .toEqual(
      expect.arrayContaining([
        'settings {"quiet":{"schedule":{"days":[1,2,3,4,5]}}}',
        'settings {"quiet":{"schedule":{"fromMinute":570}}}',
      ]),
    );
  await screen.by('advanced').click();
  await screen.page.getByRole('textbox', { name: 'Port for other members' }).fill('6881');
  await screen.page.keyboard.press('Enter');
  await screen.by('restart-needed').waitFor();
  expect(await screen.violations()).toEqual([]);
  await screen.by('quiet').scrollIntoViewIfNeeded();
  await screen.picture('settings-quiet');
  await screen.by('restart-needed').scrollIntoViewIfNeeded();
  await screen.picture('settings-network');
  expect(screen.complaints).toEqual([]);
});

test('what is said about an item stands beside it, and in the chat as an answer to it', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Sunset').getByTestId('item-open').click();
  await screen.by('comments').click();
  await screen.page.getByText('No comments yet').waitFor();
  await screen.picture('comments-none');
  await screen.by('comment-box').fill('That was the best evening.');
  await screen.page.keyboard.press('Enter');
  await screen.by('comments-panel').getByText('That was the best evening.').waitFor();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('comments-film');
  await screen.page.keyboard.press('Escape');
  await screen.by('comments-panel').waitFor({ state: 'detached' });
  expect(await screen.by('comments').textContent()).toContain('1');
  await screen.by('player-back').click();
  const line = screen.by('message').filter({ hasText: 'That was the best evening.' });
  await line.getByTestId('message-quote').filter({ hasText: 'Sunset' }).waitFor();
  expect(screen.complaints).toEqual([]);
});

test('a photo has comments too; what is typed there turns no photo', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Lighthouse').getByTestId('item-open').click();
  await screen.by('comments').waitFor();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('photo-before-comments');
  await screen.by('comments').click();
  await screen.by('comment-box').fill('Who painted it?');
  await screen.page.keyboard.press('ArrowLeft');
  await screen.by('comment-send').click();
  await screen.by('comments-panel').getByText('Who painted it?').waitFor();
  const photo = screen.page.locator('.pswp__item[aria-hidden=false] img.pswp__img:not(.pswp__img--placeholder)');
  await expect.poll(() => screen.property(photo.first(), 'naturalWidth')).toBeGreaterThan(0);
  await expect.poll(async () => (await photo.first().boundingBox())?.width ?? 0).toBeGreaterThan(200);
  await screen.picture('comments-photo');
  expect(await screen.page.locator('.photo-caption').textContent()).toContain('Lighthouse');
  await screen.page.keyboard.press('Escape');
  await screen.by('comments-panel').waitFor({ state: 'detached' });
  await screen.page.keyboard.press('Escape');
  await screen.tile('Lighthouse').waitFor();
  expect(screen.complaints).toEqual([]);
});

test('whoever edited a file is asked what becomes of it, and a new version says that a copy of the old one is here', async () => {
  await using screen = await Screen.open(browser);
  const { items } = screen.engine.state;
  for (const item of items.filter(({ state }) => state === 'changed')) item.state = 'complete';
  const found = items.find(({ name, mine }) => name.startsWith('Lighthouse') && !mine);
  Object.assign(found ?? {}, { state: 'changed' });
  const boat = items.find(({ name }) => name.startsWith('Boat trip'));
  Object.assign(boat ?? {}, { state: 'listed', earlierPath: '/home/anna/Spherecast/Summer/boat.mp4' });
  await screen.goToSphere();
  const card = screen.by('edited-item');
  await card.getByText('You changed “Lighthouse').waitFor();
  await screen.tile('Boat trip').getByText('new version', { exact: true }).waitFor();
  expect(await screen.violations()).toEqual([]);
  await screen.picture('edited-item');
  await card.getByTestId('edited-original').waitFor();
  await card.getByTestId('edited-keep').click();
  await card.waitFor({ state: 'detached' });
  expect(found).toMatchObject({ state: 'listed', path: null });
  expect(screen.complaints).toEqual([]);
});

test('what is typed about a photo stays with it, and is not said about the next one', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Lighthouse').getByTestId('item-open').click();
  await screen.by('comments').click();
  const box = screen.by('comment-box');
  await box.fill('Who painted it?');
  const arrow = (way: string) => screen.page.locator(`.pswp__button--arrow--${way}:not([disabled])`);
  const [on, back] = (await arrow('next').count()) > 0 ? ['next', 'prev'] : ['prev', 'next'];
  await arrow(on ?? '').click();
  await expect.poll(() => box.inputValue()).toBe('');
  await screen.by('comments-close').click();
  await screen.by('comments').click();
  await arrow(back ?? '').click();
  await expect.poll(() => box.inputValue()).toBe('Who painted it?');
  expect(screen.complaints).toEqual([]);
});

test('after the comments of a film the keys are for the film again', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.tile('Sunset').getByTestId('item-open').click();
  await screen.by('comments').click();
  await screen.by('comment-box').fill('not said');
  await screen.page.keyboard.press('Escape');
  await screen.by('comments-panel').waitFor({ state: 'detached' });
  await screen.by('comments').click();
  expect(await screen.by('comment-box').inputValue()).toBe('not said');
  await screen.page.keyboard.press('Escape');
  await screen.page.keyboard.press('Escape');
  await screen.by('overlay').waitFor({ state: 'detached' });
  expect(screen.complaints).toEqual([]);
});
