import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { sha256OfFile } from '../fixtures/film.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { makeAlbum, type Album } from './album.ts';
import { Household } from './household.ts';
import { launchChromium } from './screen-browser.ts';

const FILM = 'Summer at the lake.mp4';
const SPHERE = 'Family';
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
  browser = await launchChromium();
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
const video = (who: Household) => who.by('player-video');
const playedSeconds = (who: Household): Promise<number> => who.property(video(who), 'currentTime');

/** Each test goes on where the one before it ended, as an evening with the application does. */
describe('one film from one person to another', () => {
  test('two people sign in on their pages, one opens a sphere, the other accepts the invitation', async () => {
    await alice.page.goto(await alice.engine.pageUrl());
    await alice.by('sign-in-form').waitFor();
    await alice.picture('main-job-01-sign-in');
    await Promise.all([alice.signIn(PASSWORDS.alice), bob.signIn(PASSWORDS.bob)]);
    await alice.picture('main-job-02-first-start');
    await alice.by('new-sphere').click();
    await alice.by('new-sphere-name').fill(SPHERE);
    await alice.by('new-sphere-create').click();
    await alice.by('sphere-page').waitFor();
    await alice.by('panel-people').click();
    await alice.by('invite-address').fill(bob.jid);
    await alice.by('invite-send').click();
    await alice.page.locator(`[data-testid=member][data-jid="${bob.jid}"]`).waitFor();
    await bob.by('invitation').waitFor();
    await bob.picture('main-job-03-invitation');
    await bob.by('invitation-join').click();
    await bob.by('sphere-page').waitFor();
    await alice.page.locator(`[data-testid=member][data-jid="${bob.jid}"][data-state=joined]`).waitFor();
    expect(await bob.by('sphere-name').textContent()).toBe(SPHERE);
    await alice.picture('main-job-04-people');
  });

  test('a film shared by the picker shows its progress and stands in both galleries with its picture', async () => {
    const { filmBytes } = await filming;
    expect(filmBytes).toBeGreaterThan(50_000_000);
    const began = performance.now();
    const job = alice.by('share-job').waitFor();
    await alice.by('add').click();
    await alice.entry('Videos').click();
    await alice.entry(FILM).click();
    await alice.picture('main-job-05-picker');
    await alice.by('picker-share').click();
    await job;
    await alice.picture('main-job-06-sharing');
    await Promise.all([alice, bob].map((who) => who.tile(FILM).waitFor()));
    figures['share to listed at the other'] = seconds(performance.now() - began);
    for (const who of [alice, bob]) {
      await expect.poll(() => who.property(who.tile(FILM).locator('img').first(), 'naturalWidth')).toBeGreaterThan(0);
    }
    expect(await bob.tile(FILM).getAttribute('data-state')).toBe('listed');
    await bob.picture('main-job-07-listed');
  });

  test('it plays long before it is there, and goes on after a jump to a place that is not there', async () => {
    await bob.by('nav-transfers').click();
    await bob.by('limit-down').click();
    await bob.by('limit-down-value').fill('2');
    await bob.by('limit-down-value').press('Enter');
    await bob.page.goBack();
    const began = performance.now();
    await bob.tile(FILM).getByTestId('item-open').click();
    await expect.poll(() => playedSeconds(bob), { timeout: 20_000, interval: 100 }).toBeGreaterThan(1);
    figures['click to first frame'] = seconds(await bob.took('click', 'loadeddata'));
    figures['click to playing'] = seconds(await bob.took('click', 'playing'));
    const early = await bob.item(SPHERE, FILM);
    expect(early.bytesHave).toBeLessThan(early.bytes / 2);
    await bob.picture('main-job-08-playing');

    const bar = await video(bob).page().locator('media-time-range').boundingBox();
    if (bar === null) throw new Error('the player has no time range');
    await bob.page.mouse.click(bar.x + bar.width * 0.8, bar.y + bar.height / 2);
    await expect.poll(() => playedSeconds(bob), { timeout: 10_000, interval: 50 }).toBeGreaterThan(49);
    figures['jump to playing'] = seconds(await bob.took('seeking', 'seeked'));
    const late = await bob.item(SPHERE, FILM);
    expect(late.bytesHave).toBeLessThan(late.bytes * 0.7);
    expect(await bob.by('player-message').count()).toBe(0);
    await bob.picture('main-job-09-after-the-jump');
    const rate = late.bytesHave / ((performance.now() - began) / 1000);
    figures['rate under a limit of 2 MB/s'] = `${(rate / 1e6).toFixed(2)} MB/s`;
    expect(rate).toBeLessThan(2_400_000);
  });

  test('what arrives in the end is byte for byte what was shared', async () => {
    await bob.by('player-back').click();
    await bob.by('nav-transfers').click();
    await bob.by('transfer').waitFor();
    await bob.picture('main-job-10-transfers');
    const before = await bob.item(SPHERE, FILM);
    const began = performance.now();
    await bob.by('limit-down').click();
    const item = await eventually('the film is there', async () => {
      const now = await bob.item(SPHERE, FILM);
      return now.state === 'complete' ? now : undefined;
    });
    const rest = (item.bytes - before.bytesHave) / ((performance.now() - began) / 1000);
    figures['rate without a limit, last part'] = `${(rest / 1e6).toFixed(1)} MB/s`;
    const { film } = await filming;
    const [theirs, ours] = await Promise.all([sha256OfFile(film), sha256OfFile(pathOf(item))]);
    expect(ours).toBe(theirs);
  });
});

function pathOf(item: object): string {
  const path: unknown = Reflect.get(item, 'path');
  if (typeof path !== 'string') throw new Error('the item has no path');
  return path;
}
