import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { landscape } from '../fixtures/landscape.ts';
import { sha256OfFile } from '../fixtures/film.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { makeAlbum, type Album } from './album.ts';
import { HostilePage } from './hostile-page.ts';
import { Household } from './household.ts';
import { launchChromium } from './screen-browser.ts';

const FILM = 'Summer at the lake.mp4';
const PHOTOS = ['Lighthouse.jpg', 'Morning in the hills.png'] as const;
const SPHERE = 'Family';
/** A name that an attacker's name server points at this machine. */
const REBOUND = 'rebound.test';
const PASSWORDS = { alice: 'pw-alice-7c1e', bob: 'pw-bob-7c1e' };

const stack = new AsyncDisposableStack();
let browser: Browser;
let alice: Household;
let bob: Household;
let filming: Promise<Album>;

/** Figures a reader of the run wants to see. */
const figures: Record<string, string> = {};

beforeAll(async () => {
  const prosody = stack.use(await startProsody({ users: PASSWORDS }));
  browser = await launchChromium(`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`);
  stack.defer(() => browser.close());
  alice = stack.use(await Household.start(browser, prosody, 'alice', '127.0.0.2'));
  bob = stack.use(await Household.start(browser, prosody, 'bob', '127.0.0.3'));
  filming = makeAlbum(join(alice.home, 'Videos'));
  // Whoever needs it waits for it and gets the error.
  filming.catch(() => undefined);
});
afterAll(async () => {
  await stack.disposeAsync();
  console.table(figures);
});

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** Each test goes on where the one before it ended, as an evening with the application does. */
describe('one film from one person to another', () => {
  test('two people sign in on their pages, one opens a sphere, the other accepts the invitation', async () => {
    await alice.page.goto(await alice.engine.pageUrl());
    await alice.by('sign-in-form').waitFor();
    await alice.picture('main-job-01-sign-in');
    let began = performance.now();
    await Promise.all([alice.signIn(PASSWORDS.alice), bob.signIn(PASSWORDS.bob)]);
    figures['two sign in at once'] = seconds(performance.now() - began);
    await alice.picture('main-job-02-first-start');
    await alice.by('new-sphere').click();
    await alice.by('new-sphere-name').fill(SPHERE);
    began = performance.now();
    await alice.by('new-sphere-create').click();
    await alice.by('sphere-page').waitFor();
    figures['create a sphere'] = seconds(performance.now() - began);
    await alice.by('panel-people').click();
    await alice.by('invite-address').fill(bob.jid);
    await alice.by('invite-send').click();
    began = performance.now();
    await alice.page.locator(`[data-testid=member][data-jid="${bob.jid}"]`).waitFor();
    // Anna is nobody Bob knows yet: what she wants waits among the requests.
    await bob.by('home-requests').click();
    await bob.by('invitation').waitFor();
    figures['invited to told'] = seconds(performance.now() - began);
    await bob.picture('main-job-03-invitation');
    began = performance.now();
    await bob.by('invitation-join').click();
    await bob.by('sphere-page').waitFor();
    await alice.page.locator(`[data-testid=member][data-jid="${bob.jid}"][data-state=joined]`).waitFor();
    figures['join to seen by the other'] = seconds(performance.now() - began);
    expect(await bob.page.getByText('You are invited').count()).toBe(0);
    expect(await bob.by('sphere-name').textContent()).toBe(SPHERE);
    await alice.picture('main-job-04-people');
  });

  test('a picture that the one gives the sphere is what the other sees of it', async () => {
    await alice.by('rename').click();
    const buffer = await landscape(3, 900, 600);
    await alice.by('sphere-picture-file').setInputFiles({ name: 'us.webp', mimeType: 'image/webp', buffer });
    await alice.by('sphere-picture-no-picture').waitFor();
    await alice.picture('main-job-04-sphere-picture');
    await alice.by('rename-confirm').click();
    for (const one of [alice, bob]) {
      const drawn = one.page.locator('header img[src^="/preview/sphere-"]');
      await drawn.waitFor();
      await expect.poll(() => one.property(drawn, 'naturalWidth')).toBe(192);
    }
    await bob.picture('main-job-04-sphere-picture-received');
  });

  test('a film shared by the picker shows its progress and stands in both galleries with its picture', async () => {
    const { filmBytes } = await filming;
    expect(filmBytes).toBeGreaterThan(50_000_000);
    const job = alice.by('share-job').waitFor();
    await alice.by('add').click();
    await alice.entry('Videos').click();
    await alice.entry(FILM).click();
    await alice.picture('main-job-05-picker');
    const began = performance.now();
    await alice.by('picker-share').click();
    await job;
    await bob.tile(FILM).waitFor();
    figures['share to listed at the other'] = seconds(performance.now() - began);
    await Promise.all([alice.preview(FILM), bob.preview(FILM)]);
    expect(await bob.tile(FILM).getAttribute('data-state')).toBe('listed');
    await alice.picture('main-job-06-shared');
    await bob.picture('main-job-07-listed');
  });

  test('it plays long before it is there, and goes on after a jump to a place that is not there', async () => {
    await bob.by('nav-transfers').click();
    await bob.by('limit-down').click();
    // Little more than the film needs: something of it has to be left after a jump and a restart.
    await bob.by('limit-down-value').fill('1.5');
    await bob.by('limit-down-value').press('Enter');
    await bob.page.goBack();
    const began = performance.now();
    await bob.tile(FILM).getByTestId('item-open').click();
    await expect.poll(() => bob.playedSeconds(), { timeout: 20_000, interval: 100 }).toBeGreaterThan(1);
    figures['click to first frame'] = seconds(await bob.took('click', 'loadeddata'));
    figures['click to playing'] = seconds(await bob.took('click', 'playing'));
    const early = await bob.item(SPHERE, FILM);
    expect(early.bytesHave).toBeLessThan(early.bytes / 2);
    await bob.picture('main-job-08-playing');

    expect(await bob.bufferedSeconds()).toBeLessThan(40);
    await bob.jumpTo(0.8);
    await expect.poll(() => bob.playedSeconds(), { timeout: 10_000, interval: 50 }).toBeGreaterThan(50);
    figures['jump to picture'] = seconds(await bob.took('seeking', 'seeked'));
    const late = await bob.item(SPHERE, FILM);
    expect(late.bytesHave).toBeLessThan(late.bytes * 0.7);
    expect(await bob.by('player-message').count()).toBe(0);
    await bob.picture('main-job-09-after-the-jump');
    const rate = late.bytesHave / ((performance.now() - began) / 1000);
    figures['rate under a limit of 1.5 MB/s'] = `${(rate / 1e6).toFixed(2)} MB/s`;
    expect(rate).toBeLessThan(1_800_000);
  });

  test('a restart of the engine in the middle of the film is told, and the film goes on by itself', async () => {
    await bob.watchForBlankness();
    expect(await bob.stop()).toBe(0);
    await bob.by('player-status').getByText('Spherecast is restarting').waitFor();
    await bob.picture('main-job-10-restarting-player');
    const began = performance.now();
    await bob.back();
    figures['engine ready again'] = seconds(performance.now() - began);
    await bob.by('banner').waitFor({ state: 'detached' });
    figures['engine started to page online'] = seconds(performance.now() - began);
    // What was loaded before plays on without an engine: only a new place shows that the film has found it again.
    await eventually('the film plays at another place', async () => {
      const at = await bob.playedSeconds();
      if (at > 24.5 && at < 45) return true;
      if (at < 1 || at > 45) await bob.jumpTo(0.4);
      return undefined;
    });
    figures['engine started to film going on'] = seconds(performance.now() - began);
    await bob.by('player-back').click();
    expect(await bob.blankFrames()).toBe(0);
  });

  test('what arrives in the end is byte for byte what was shared', async () => {
    await bob.by('nav-transfers').click();
    await bob.by('transfer').waitFor();
    await bob.picture('main-job-11-transfers');
    const before = await bob.item(SPHERE, FILM);
    expect(before.bytesHave).toBeLessThan(before.bytes);
    const began = performance.now();
    await bob.by('limit-down').click();
    const item = await eventually('the film is there', async () => {
      const now = await bob.item(SPHERE, FILM);
      return now.state === 'complete' ? now : undefined;
    });
    const rest = (item.bytes - before.bytesHave) / ((performance.now() - began) / 1000);
    figures['rate without a limit, last part'] = `${(rest / 1e6).toFixed(1)} MB/s`;
    const { film } = await filming;
    const [theirs, ours] = await Promise.all([sha256OfFile(film), sha256OfFile(join(bob.sphereFolder(SPHERE), FILM))]);
    expect(ours).toBe(theirs);
    await bob.page.goBack();
    await expect.poll(() => bob.tile(FILM).getAttribute('data-state')).toBe('complete');
  });

  test('a restart behind an open sphere is told and needs nobody', async () => {
    await bob.watchForBlankness();
    expect(await bob.stop()).toBe(0);
    await bob.by('banner').waitFor();
    expect(await bob.by('banner').getAttribute('data-kind')).toBe('restarting');
    expect(await bob.tile(FILM).count()).toBe(1);
    await bob.picture('main-job-12-restarting');
    await bob.back();
    await bob.by('banner').waitFor({ state: 'detached' });
    expect(await bob.blankFrames()).toBe(0);
    await expect.poll(() => bob.tile(FILM).getAttribute('data-state')).toBe('complete');
  });

  test('they talk, and photos stand in the gallery and open in the page', async () => {
    await alice.by('panel-chat').click();
    await alice.say('The lake last summer. Watch it to the end!');
    await bob.message('The lake last summer.').waitFor();
    await bob.say('What a light. Do you have the photos, too?');
    await alice.message('What a light.').waitFor();
    await alice.by('add').click();
    for (const name of PHOTOS) await alice.entry(name).click();
    await alice.by('picker-share').click();
    for (const name of PHOTOS) await Promise.all([alice.preview(name), bob.preview(name)]);
    await expect.poll(() => bob.by('message-state').last().textContent()).toMatch(/^\s*(Sent|Delivered|Seen by)/);
    await expect.poll(() => bob.belowTheEdge('messages')).toBeLessThan(2);
    await bob.picture('main-job-13-gallery-and-chat');

    await bob.tile(PHOTOS[0]).getByTestId('item-open').click();
    const shown = bob.page.locator('.pswp__item[aria-hidden=false] img.pswp__img:not(.pswp__img--placeholder)');
    await expect.poll(() => bob.property(shown, 'naturalWidth'), { timeout: 15_000 }).toBe(2000);
    await bob.picture('main-job-14-photo');
    await bob.page.keyboard.press('Escape');
    await bob.page.locator('.pswp').waitFor({ state: 'detached' });
    await bob.page.goto(`${new URL('/', bob.engine.url).href}#/`);
    await bob.by('sphere-card').waitFor();
    await bob.picture('main-job-15-home');
  });

  test('every page of a real evening is accessible, also in dark colours and in French', async () => {
    const found: string[] = [];
    const look = async (who: Household, where: string): Promise<void> => {
      found.push(...(await who.violations()).map((violation) => `${where}: ${violation}`));
    };
    await look(bob, 'home');
    await bob.by('sphere-card').click();
    await bob.preview(FILM);
    await look(bob, 'sphere');
    await bob.tile(FILM).getByTestId('item-open').click();
    await expect.poll(() => bob.playedSeconds(), { timeout: 20_000 }).toBeGreaterThan(0.5);
    await look(bob, 'player');
    await bob.by('player-back').click();
    await alice.page.emulateMedia({ colorScheme: 'dark' });
    await look(alice, 'sphere in dark colours');
    await alice.picture('main-job-16-dark');
    await alice.by('nav-settings').click();
    await alice.by('language').getByText('Français').click();
    await look(alice, 'settings in French');
    await alice.picture('main-job-17-settings-french');
    await alice.page.emulateMedia({ colorScheme: 'light' });
    await alice.page.goBack();
    await alice.preview(FILM);
    await look(alice, 'sphere in French');
    await alice.picture('main-job-18-french');
    expect(found).toEqual([]);
  });

  test('a web page of somebody else neither reads nor drives the engine', async () => {
    const engine = new URL(alice.engine.url).origin;
    const { url } = await alice.engine.command<{ url: string }>(['url', SPHERE, FILM]);
    const preview = await alice.tile(FILM).locator('img[src^="/preview"]').getAttribute('src');
    const paths = ['/', String(preview), new URL(url).pathname];
    // The same attempts from the engine's own page get through, so that `denied` means something.
    const second = await alice.page.context().newPage();
    await second.goto(`${engine}/`);
    const own = await alice.breakIn(second, { engine, paths: paths.slice(1, 2) });
    await second.close();
    expect(own[`image ${preview}`]).toBe('loaded');
    expect(own['web socket']).toBe('opened');
    // Another port of the same host gets the engine's cookies along; another address is wholly foreign.
    for (const address of ['127.0.0.1', '127.0.0.9']) {
      await using hostile = await HostilePage.start(address);
      const page = await alice.page.context().newPage();
      await page.goto(`http://${address}:${hostile.port}/`);
      const loot = await alice.breakIn(page, { engine, paths });
      expect(Object.entries(loot).filter(([, result]) => result !== 'denied')).toEqual([]);
      expect(Object.keys(loot).length).toBe(paths.length * 6 + 2);
      await page.evaluate(
        `document.body.append(Object.assign(document.createElement('iframe'), { src: '${engine}/' }))`,
      );
      await expect.poll(() => page.frames().length).toBe(2);
      expect(await page.frames()[1]?.locator('#app').count()).toBe(0);
      await page.close();
    }
    const rebound = await alice.page.context().newPage();
    const answer = rebound.waitForResponse(() => true);
    // A browser shows an empty answer as an error of its own, or as an empty page.
    await rebound.goto(`${engine.replace('127.0.0.1', REBOUND)}/`).catch(() => undefined);
    expect((await answer).status()).toBe(403);
    expect(await rebound.locator('#app').count()).toBe(0);
    await rebound.close();
  });

  test('no page asked anybody but its engine, broke its policy or failed', () => {
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });
});
