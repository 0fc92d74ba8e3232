import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

// Code for the page is text: these files are checked without the types of a browser.

/** Drops one file onto the page, as the browser does when a person lets go of it. */
const dropFile = (screen: Screen, name: string): Promise<unknown> =>
  screen.page.evaluate(`(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], ${JSON.stringify(name)}));
    for (const type of ['dragover', 'drop']) {
      window.dispatchEvent(new DragEvent(type, { dataTransfer, cancelable: true }));
    }
  })()`);

const playedSeconds = (screen: Screen): Promise<number> => screen.property(screen.by('player-video'), 'currentTime');

describe('signing in', () => {
  test('a wrong password is told in a sentence, the right one opens the spheres', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await screen.page.goto(screen.engine.url);
    await screen.by('sign-in-jid').fill('anna@example.org');
    await screen.by('sign-in-password').fill('wrong');
    await screen.by('sign-in-submit').click();
    expect(await screen.by('failure').getAttribute('data-code')).toBe('wrong-password');
    expect(await screen.by('failure').textContent()).toContain('Nothing on this computer was changed');
    await screen.by('sign-in-password').fill('right');
    await screen.page.keyboard.press('Enter');
    await screen.by('sphere-card').first().waitFor();
    await screen.by('nav-settings').click();
    await screen.by('sign-out').click();
    await screen.by('confirm').click();
    await screen.by('sign-in-form').waitFor();
    expect(screen.complaints).toEqual([]);
  });

  test('an incomplete address is caught before anything is sent', async () => {
    await using screen = await Screen.open(browser, { signedIn: false });
    await screen.page.goto(screen.engine.url);
    await screen.by('sign-in-jid').fill('anna');
    await screen.by('sign-in-password').fill('x');
    await screen.by('sign-in-submit').click();
    await screen.page.getByText('This is not a complete address').waitFor();
    expect(screen.engine.state.account).toBeNull();
  });
});

describe('spheres', () => {
  test('what the chat server kept back stays in sight in its sphere until it was read', async () => {
    await using screen = await Screen.open(browser);
    const [sphere] = screen.engine.world.spheres;
    if (sphere === undefined) throw new Error('there is no sphere');
    sphere.withheld = { count: 2, people: ['Ben Moreau', 'Lise'] };
    await screen.goToSphere();
    const note = screen.by('withheld-note');
    expect(await note.textContent()).toContain('did not pass on 2 messages in this sphere');
    expect(await screen.looks('sphere-withheld')).toEqual([]);
    await note.getByTestId('withheld-read').click();
    await note.waitFor({ state: 'detached' });
    expect(screen.complaints).toEqual([]);
  });

  test('a new sphere opens at once, and somebody can be invited and removed', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    await screen.by('new-sphere').click();
    await screen.by('new-sphere-name').fill('Band');
    await screen.by('new-sphere-create').click();
    await screen.by('sphere-page').waitFor();
    expect(await screen.by('sphere-name').textContent()).toBe('Band');
    await screen.by('panel-people').click();
    await screen.by('invite-address').fill('zoe@example.org');
    await screen.by('invite-send').click();
    const zoe = screen.page.locator('[data-testid=member][data-jid="zoe@example.org"]');
    await zoe.waitFor();
    expect(await zoe.getAttribute('data-state')).toBe('invited');
    await screen.choose(zoe.getByTestId('member-menu'), /Take back the invitation/);
    await screen.by('confirm').click();
    await zoe.waitFor({ state: 'detached' });
  });

  test('an invitation is accepted with one click', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    await screen.by('invitation-join').click();
    await screen.by('sphere-page').waitFor();
    expect(await screen.by('sphere-name').textContent()).toBe('Band rehearsals');
    expect(screen.engine.world.invitations).toEqual([]);
  });

  test('an invitation is declined with one click: it is gone, and nothing was joined', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    const before = screen.engine.world.spheres.length;
    await screen.by('invitation-decline').click();
    await screen.by('invitation').waitFor({ state: 'detached' });
    expect(screen.engine.calls).toEqual(['decline Band rehearsals']);
    expect(screen.engine.world.spheres).toHaveLength(before);
  });

  test('opening a sphere marks it as read', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await expect.poll(() => screen.engine.world.spheres[0]?.unread).toBe(0);
  });
});

describe('sharing', () => {
  test('the picker walks through folders and shares what was chosen, with progress', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.by('add').click();
    await screen.page.locator('[data-testid=picker-entry][data-name=Films]').click();
    await screen.page.locator('[data-testid=picker-entry][data-name="birthday.mov"]').click();
    await screen.by('picker-share').click();
    await screen.by('share-job').waitFor();
    await screen.tile('birthday.mov').waitFor();
    await screen.by('share-job').waitFor({ state: 'detached' });
    expect(screen.engine.calls).toEqual(['share /home/anna/Films/birthday.mov']);
  });

  test('the picker works with the keyboard alone', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.by('add').press('Enter');
    await screen.by('picker-entry').first().waitFor();
    await screen.page.getByRole('listbox').focus();
    for (const key of ['ArrowDown', 'Enter']) await screen.page.keyboard.press(key);
    await screen.page.locator('[data-name="concert.mkv"]').waitFor();
    for (const key of ['End', ' ', 'Backspace']) await screen.page.keyboard.press(key);
    await screen.page.locator('[data-name="notes.txt"]').waitFor();
    await screen.by('picker-share').press('Enter');
    await expect.poll(() => screen.engine.calls).toEqual(['share /home/anna/Films/concert.mkv']);
  });

  test('links that were left out of what is shared are told by name', async () => {
    await using screen = await Screen.open(browser);
    screen.engine.leftOut.push({ reason: 'link', count: 4, names: ['a', 'b', 'c', 'd'].map((name) => `${name}.lnk`) });
    await screen.goToSphere();
    await screen.by('add').click();
    await screen.page.locator('[data-testid=picker-entry][data-name="holiday.mp4"]').click();
    await screen.by('picker-share').click();
    await screen.page.getByText('Not everything in “holiday.mp4” was shared').first().waitFor();
    const what = '4 links that point elsewhere on your disk: a.lnk, b.lnk, c.lnk, ….';
    expect(await screen.page.getByText(what).count()).toBeGreaterThan(0);
    await screen.tile('holiday.mp4').waitFor();
  });

  test('a running share can be stopped', async () => {
    await using screen = await Screen.open(browser);
    // It runs as long as it takes to find the button.
    screen.engine.shareStepMs = 5_000;
    await screen.goToSphere();
    await screen.by('add').click();
    await screen.page.locator('[data-testid=picker-entry][data-name="holiday.mp4"]').click();
    await screen.by('picker-share').click();
    await screen.by('share-cancel').click();
    await screen.by('share-job').waitFor({ state: 'detached' });
    expect(await screen.tile('holiday.mp4').count()).toBe(0);
  });

  test('a drop in a browser opens the picker and says why', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await dropFile(screen, 'beach.mp4');
    await screen.by('picker').waitFor();
    await screen.page.getByText('A browser does not tell where beach.mp4 lies').first().waitFor();
    expect(screen.engine.calls).toEqual([]);
  });

  test('a file that is dropped where nothing takes it does not replace the page', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    // A synthetic drop opens nothing; whether somebody prevented it tells what a real one would do.
    const prevented = await screen.page.evaluate(`['dragover', 'drop'].map((type) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['x'], 'film.mp4'));
      return !document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    })`);
    expect(prevented).toEqual([true, true]);
  });

  test('a drop in the desktop application shares the real path', async () => {
    await using screen = await Screen.open(browser);
    await screen.page.addInitScript(
      `window.desktop = { platform: 'linux', pathForFile: (file) => '/data/' + file.name, notify() {} };`,
    );
    await screen.goToSphere();
    await dropFile(screen, 'beach.mp4');
    await expect.poll(() => screen.engine.calls).toEqual(['share /data/beach.mp4']);
    await screen.tile('beach.mp4').waitFor();
  });
});

describe('playing', () => {
  test('a double click on a film that is still arriving plays it, and Escape leads back', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.tile('Boat trip').getByTestId('item-open').dblclick();
    await expect.poll(() => playedSeconds(screen)).toBeGreaterThan(1.6);
    expect(await screen.by('player-status').textContent()).toContain('626');
    expect(await screen.by('player-message').count()).toBe(0);
    await screen.page.keyboard.press('Space');
    await expect
      .poll(() => screen.by('player-video').evaluate((video: object) => Reflect.get(video, 'paused')))
      .toBe(true);
    await screen.page.keyboard.press('Escape');
    await screen.by('overlay').waitFor({ state: 'detached' });
    expect(await screen.page.locator('#app').getAttribute('inert')).toBeNull();
    expect(screen.complaints).toEqual([]);
  });

  test('a film for another player says so and offers it', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.tile('HEVC').getByTestId('item-open').click();
    await screen.by('player-open-elsewhere').click();
    await expect.poll(() => screen.engine.calls).toEqual(['openElsewhere']);
  });

  test('a folder lists its files and plays them', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.tile('Songs we danced').getByTestId('item-open').click();
    await expect.poll(() => screen.by('folder-file').count()).toBe(5);
    await screen.by('folder-file').nth(1).click();
    await screen.by('player-audio').waitFor({ state: 'attached' });
    await screen.page.getByRole('heading', { name: '02 Salt and Sun.flac' }).waitFor();
  });

  test('photos turn with the arrow keys and close with Escape', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    await screen.tile('Lighthouse').getByTestId('item-open').click();
    const caption = screen.page.locator('.photo-caption');
    await expect.poll(() => caption.textContent()).toContain('Lighthouse.jpg');
    const shown = screen.page.locator('.pswp__item[aria-hidden=false] img.pswp__img:not(.pswp__img--placeholder)');
    await expect.poll(() => screen.property(shown, 'naturalWidth')).toBe(2000);
    await screen.page.keyboard.press('ArrowRight');
    await expect.poll(() => caption.textContent()).toContain('Morning fog.jpg');
    await screen.page.keyboard.press('Escape');
    await screen.page.locator('.pswp').waitFor({ state: 'detached' });
    await screen.by('sphere-page').waitFor();
    await expect.poll(() => screen.page.url()).not.toContain('/item/');
  });

  test('closing the slide show lets go of pictures that have not arrived', async () => {
    await using screen = await Screen.open(browser);
    screen.engine.withholding = true;
    await screen.goToSphere();
    await screen.tile('Lighthouse').getByTestId('item-open').click();
    await expect.poll(() => screen.engine.waiting.size).toBeGreaterThan(1);
    await screen.page.keyboard.press('Escape');
    await screen.page.locator('.pswp').waitFor({ state: 'detached' });
    await expect.poll(() => screen.engine.waiting.size).toBe(0);
  });
});

describe('transfers', () => {
  test('each download pauses and continues, all of them too, and a limit is set', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    await screen.by('nav-transfers').click();
    await screen.page.getByRole('button', { name: 'Pause Boat trip to the island.mp4' }).click();
    await screen.page.getByRole('button', { name: 'Continue Boat trip to the island.mp4' }).click();
    await screen.page.getByRole('button', { name: 'Pause Boat trip to the island.mp4' }).waitFor();
    await screen.by('pause-all').click();
    await expect.poll(() => screen.engine.state.swarm.paused).toBe(true);
    await screen.by('limit-down').click();
    await expect.poll(() => screen.engine.state.limits.down).toBe(2_000_000);
    await screen.by('limit-down-value').fill('0.5');
    await screen.by('limit-down-value').press('Enter');
    await expect.poll(() => screen.engine.state.limits.down).toBe(500_000);
  });
});

describe('the engine', () => {
  test('restarts under an open sphere: the page says so, stays, and goes on by itself', async () => {
    await using screen = await Screen.open(browser);
    await screen.goToSphere();
    const back = Promise.withResolvers<void>();
    const restarted = screen.engine.restart(back.promise);
    await screen.by('banner').waitFor();
    expect(await screen.by('banner').getAttribute('data-kind')).toBe('restarting');
    expect(await screen.tile('Boat trip').count()).toBe(1);
    await screen.picture('restarting');
    back.resolve();
    await restarted;
    await screen.by('banner').waitFor({ state: 'detached' });
    await screen.by('message-box').fill('Back again');
    await screen.by('message-box').press('Enter');
    await expect.poll(() => screen.by('message-state').last().textContent()).toContain('Reached 2 of 2 devices');
    expect(screen.complaints).toEqual([]);
  });

  test('that does not know the page any more leads to one plain sentence', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    screen.engine.refusing = true;
    screen.engine.cut();
    await screen.by('refused').waitFor();
    expect(await screen.by('refused').textContent()).toContain('Please open Spherecast again');
  });

  test('language and colours chosen once are kept for the next start', async () => {
    await using screen = await Screen.open(browser);
    await screen.goHome();
    await screen.by('nav-settings').click();
    await screen.by('language').getByText('Français').click();
    await screen.by('theme').getByText('Sombre').click();
    await screen.page.reload();
    await screen.page.getByRole('heading', { name: 'Réglages' }).waitFor();
    expect(await screen.page.locator('html').getAttribute('class')).toContain('dark');
  });
});
