import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeMessage } from '../fixtures/fake-views.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const FRENCH = { locale: 'fr-FR' };

function theSea(screen: Screen) {
  const [sea] = screen.engine.world.spheres;
  const [anna, ben] = sea?.members ?? [];
  if (sea === undefined || anna === undefined || ben === undefined) throw new Error('no sphere');
  return { sea, anna, ben };
}

/** A talk with an answer, a change, a deletion, signs, and a line that some have seen. */
function talk(screen: Screen): void {
  const { sea, anna, ben } = theSea(screen);
  const start = Date.now() - 240_000;
  const at = (minute: number) => ({ atMs: start + minute * 60_000 });
  const question = fakeMessage(sea, ben, 'Who brings the cake on Sunday?', at(1));
  const { messages } = screen.engine.world;
  messages.push(
    { ...question, reactions: [{ sign: '🎉', people: ['Anna', 'Chloé'], mine: true }] },
    fakeMessage(sea, anna, 'I do, with cherries', {
      ...at(2),
      change: 'edited',
      replyTo: { id: question.id, kind: 'text', fromName: ben.name, text: question.text },
      reactions: [
        { sign: '❤️', people: [ben.name], mine: false },
        { sign: '😂', people: ['Chloé'], mine: false },
      ],
    }),
    fakeMessage(sea, ben, '', { ...at(3), change: 'retracted' }),
    fakeMessage(sea, anna, 'See you at four', {
      ...at(4),
      state: 'seen',
      delivery: { devices: 3, reached: 2, seenBy: [ben.name, 'Chloé'], unknown: ['Marc'] },
    }),
  );
}

/** Something that was said long before everything else. */
function longAgo(screen: Screen, text: string): void {
  const { sea, anna, ben } = theSea(screen);
  const start = Date.now() - 90 * 86_400_000;
  const lines = Array.from({ length: 200 }, (_, index) =>
    fakeMessage(sea, index % 2 === 0 ? ben : anna, index === 40 ? text : `line ${index}`, {
      atMs: start + index * 60_000,
    }),
  );
  screen.engine.world.messages.unshift(...lines);
}

/** What belongs to one line is shown when pointer or keyboard are there. */
async function reach(line: Locator, tool: string): Promise<void> {
  await line.hover();
  await line.getByTestId(tool).click();
}

/** Whether the whole line is on the screen. */
async function isInside(line: Locator, box: Locator): Promise<boolean> {
  const [inner, outer] = [await line.boundingBox(), await box.boundingBox()];
  if (inner === null || outer === null) return false;
  return inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height;
}

test('a conversation shows answers, changes, deletions, signs and who has seen what', async () => {
  await using screen = await Screen.open(browser);
  talk(screen);
  await screen.goToSphere();
  await screen.by('message-quote').waitFor();
  await screen.by('message-retracted').waitFor();
  expect(await screen.by('message-state').last().textContent()).toContain('Seen by');
  expect(await screen.looks('chat-talk')).toEqual([]);
});

test('everything said and shared is searched by keyboard, and a result is shown in its place', async () => {
  await using screen = await Screen.open(browser, FRENCH);
  talk(screen);
  await screen.goToSphere();
  await screen.page.keyboard.press('Control+f');
  const words = screen.by('search-words');
  await words.fill('zebra');
  await screen.by('search-told').filter({ hasText: 'Rien' }).waitFor();
  expect(await screen.by('found-line').count()).toBe(0);
  await words.fill('the');
  await screen.by('found-line').nth(2).waitFor();
  expect(await screen.looks('search')).toEqual([]);
  await words.fill('cake sund');
  await screen.by('found-line').filter({ hasText: 'Who brings the cake' }).waitFor();
  await words.press('Enter');
  const line = screen.by('message').filter({ hasText: 'Who brings the cake' }).first();
  await line.and(screen.page.locator(':focus')).waitFor();
});

test('a result far back is shown among the lines around it, and one click leads back to the newest', async () => {
  await using screen = await Screen.open(browser);
  talk(screen);
  longAgo(screen, 'The lighthouse keeper waved');
  await screen.goToSphere();
  await screen.page.keyboard.press('Control+k');
  await screen.by('search-words').fill('keeper');
  await screen.by('found-line').click();
  const line = screen.by('message').filter({ hasText: 'The lighthouse keeper waved' });
  await line.and(screen.page.locator(':focus')).waitFor();
  await expect.poll(() => isInside(line, screen.by('messages'))).toBe(true);
  expect(await screen.by('message').filter({ hasText: 'See you at four' }).count()).toBe(0);
  await screen.picture('search-far-back');
  await screen.by('to-newest').click();
  await screen.by('message').filter({ hasText: 'See you at four' }).waitFor();
  await screen.by('to-newest').waitFor({ state: 'detached' });
});

test('a message is answered, changed, deleted and put back, and gets signs, by mouse and keyboard', async () => {
  await using screen = await Screen.open(browser);
  talk(screen);
  await screen.goToSphere();
  const box = screen.by('message-box');
  const lines = screen.by('message');
  await reach(lines.filter({ hasText: 'Who brings the cake' }).first(), 'message-reply');
  await screen.by('composer-turn').waitFor();
  await screen.picture('chat-replying');
  await box.fill('Me too');
  await box.press('Enter');
  const answer = lines.filter({ hasText: 'Me too' });
  expect(await answer.getByTestId('message-quote').textContent()).toContain('Who brings the cake');
  // Arrow up changes what one said last.
  await box.press('ArrowUp');
  expect(await box.inputValue()).toBe('Me too');
  await box.fill('Me too, a big one');
  await box.press('Enter');
  const changed = lines.filter({ hasText: 'Me too, a big one' });
  await changed.getByTestId('message-edited').waitFor();
  await reach(changed, 'message-react');
  await screen.picture('chat-signs');
  await screen.by('message-sign').first().click();
  await changed.getByTestId('message-reaction').waitFor();
  await reach(changed, 'message-menu');
  await screen.picture('chat-message-menu');
  await screen.page.getByRole('menuitem', { name: 'Delete for everybody' }).click();
  const gone = lines.filter({ hasText: 'You deleted this message' });
  await reach(gone, 'message-menu');
  await screen.page.getByRole('menuitem', { name: 'Put back' }).click();
  await lines.filter({ hasText: 'Me too, a big one' }).waitFor();
  // Escape leaves an answer without saying anything.
  await reach(lines.filter({ hasText: 'See you at four' }), 'message-reply');
  await box.press('Escape');
  await screen.by('composer-turn').waitFor({ state: 'detached' });
  expect(await screen.violations()).toEqual([]);
});

/** Gives the message box a small picture, as the clipboard or a mouse does. */
const give = (screen: Screen, kind: 'paste' | 'drop'): Promise<void> =>
  screen.by('message-box').evaluate(async (box: object, how) => {
    const page = globalThis as unknown as { document: { createElement(name: 'canvas'): Canvas } } & Clipboard;
    const canvas = page.document.createElement('canvas');
    Object.assign(canvas, { width: 320, height: 200 });
    const brush = canvas.getContext('2d');
    Object.assign(brush, { fillStyle: '#e07a3f' });
    brush.fillRect(0, 0, 320, 200);
    const picture = await new Promise<object>((resolve) => canvas.toBlob(resolve, 'image/png'));
    const data = new page.DataTransfer();
    data.items.add(new page.File([picture], 'image.png', { type: 'image/png' }));
    const common = { bubbles: true, cancelable: true };
    const event =
      how === 'paste'
        ? new page.ClipboardEvent(how, { ...common, clipboardData: data })
        : new page.DragEvent(how, { ...common, dataTransfer: data });
    (box as { dispatchEvent(event: object): void }).dispatchEvent(event);
  }, kind);

interface Canvas {
  getContext(kind: '2d'): { fillRect(...box: number[]): void };
  toBlob(take: (picture: object) => void, type: string): void;
}
interface Clipboard {
  readonly DataTransfer: new () => { readonly items: { add(file: object): void } };
  readonly File: new (parts: object[], name: string, options: object) => object;
  readonly ClipboardEvent: new (name: string, options: object) => object;
  readonly DragEvent: new (name: string, options: object) => object;
}

test('a picture is pasted and goes out with words that speak to somebody by name', async () => {
  const telephone = { width: 400, height: 800 };
  await using screen = await Screen.open(browser, { ...FRENCH, colorScheme: 'dark', viewport: telephone });
  await screen.goToSphere();
  await screen.by('panel-chat').click();
  await give(screen, 'paste');
  await screen.by('pasted').locator('img').waitFor();
  await give(screen, 'drop');
  await screen.by('pasted').locator('img').nth(1).waitFor();
  expect(await screen.by('picker-share').count()).toBe(0);
  await screen.by('pasted-remove').last().click();
  await screen.by('message-box').pressSequentially('Look, @ch');
  await screen.by('names').waitFor();
  await screen.picture('chat-paste');
  expect(await screen.violations()).toEqual([]);
  await screen.page.keyboard.press('Enter');
  expect(await screen.by('message-box').inputValue()).toBe('Look, @Chloé Martin ');
  await screen.page.keyboard.press('Enter');
  await screen.by('message').filter({ hasText: '@Chloé Martin' }).locator('strong').waitFor();
  await screen.by('message').filter({ hasText: '.png' }).waitFor();
  await expect.poll(() => screen.by('pasted').count()).toBe(0);
  expect(screen.engine.calls).toContain('mentions 1');
  await screen.picture('chat-pasted');
  expect(screen.complaints).toEqual([]);
});

test('a line that comes while the conversation is on the screen is read at once', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  const { sea, ben } = theSea(screen);
  await expect.poll(() => sea.unread).toBe(0);
  const message = fakeMessage(sea, ben, 'The bus is late');
  screen.engine.world.messages.push(message);
  screen.engine.emit({ kind: 'message', message });
  await screen.page.getByText('The bus is late').waitFor();
  await screen.settled();
  // The engine counts it a moment later.
  sea.unread = 1;
  screen.engine.emit({ kind: 'sphere', sphere: { ...sea } });
  await expect.poll(() => sea.unread).toBe(0);
});

test('a message tells in words how far it has come', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('message-box').fill('Hello\nfamily');
  await screen.by('message-box').press('Enter');
  await screen.page.getByText('Hello\nfamily').waitFor();
  await expect.poll(() => screen.by('message-state').last().textContent()).toContain('Reached 2 of 2 devices');
  expect(await screen.by('message-box').inputValue()).toBe('');
});

test('a message that was not sent says why, is tried again or deleted', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  const failed = screen.by('message-failed');
  const fail = async (): Promise<void> => {
    await screen.by('message-box').fill('stuck');
    await screen.by('message-box').press('Enter');
    await failed.waitFor();
    expect(await failed.textContent()).toContain('Not sent');
    expect(await failed.textContent()).toContain('too long to be sent to everybody at once');
  };
  await fail();
  await screen.picture('message-not-sent');
  await screen.by('message-retry').click();
  await failed.waitFor({ state: 'detached' });
  await fail();
  await screen.by('message-delete').click();
  expect(await screen.page.getByRole('dialog').textContent()).toContain('cannot be put back');
  expect(await screen.violations()).toEqual([]);
  await screen.picture('message-take-back');
  await screen.by('confirm').click();
  await failed.waitFor({ state: 'detached' });
  expect(await screen.page.getByText('stuck', { exact: true }).count()).toBe(1);
});

test('a message that waits to be sent is deleted only when its author agrees, for nobody else has it', async () => {
  await using screen = await Screen.open(browser);
  const { sea, anna } = theSea(screen);
  screen.engine.world.messages.push(fakeMessage(sea, anna, 'Not yet gone', { state: 'queued', atMs: Date.now() }));
  await screen.goToSphere();
  const line = screen.by('message').filter({ hasText: 'Not yet gone' });
  const wish = async (answer: string): Promise<void> => {
    await reach(line, 'message-menu');
    await screen.page.getByRole('menuitem', { name: 'Delete for everybody' }).click();
    const dialog = screen.page.getByRole('dialog');
    await dialog.getByRole('button', { name: answer }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  await wish('Cancel');
  expect(await line.count()).toBe(1);
  await wish('Delete');
  await line.waitFor({ state: 'detached' });
  await screen.by('message').filter({ hasText: 'You deleted this message' }).waitFor();
  expect(screen.complaints).toEqual([]);
});

test('half a sentence is still there after a look at the people', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('message-box').fill('Half a sen');
  await screen.by('tab-people').click();
  await screen.by('members').waitFor();
  await screen.by('tab-chat').click();
  expect(await screen.by('message-box').inputValue()).toBe('Half a sen');
});

test('a text that could not be kept comes back into the box', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  await screen.by('message-box').fill('fail');
  await screen.by('message-send').click();
  await screen.page.getByText('This cannot be encrypted for everyone').first().waitFor();
  await expect.poll(() => screen.by('message-box').inputValue()).toBe('fail');
});

test('of a long text the beginning is shown, and all of it on a click; what is too long stays in the box', async () => {
  await using screen = await Screen.open(browser);
  const { sea, ben } = theSea(screen);
  const { messages } = screen.engine.world;
  messages.push(
    fakeMessage(sea, ben, 'Once upon a time', { more: 190_000 }),
    fakeMessage(sea, ben, 'This one is', { more: 10, arriving: true }),
  );
  await screen.goToSphere();
  const [first] = [screen.by('message-show-whole').first()];
  await first.click();
  await expect.poll(async () => (await screen.by('message-whole').textContent())?.length).toBe(190_016);
  await first.click();
  await screen.by('message-whole').waitFor({ state: 'detached' });
  await screen.by('message-arriving').waitFor();
  const box = screen.by('message-box');
  const tooLong = '😀'.repeat(50_001);
  await box.fill(tooLong);
  await screen.by('message-too-long').waitFor();
  await box.press('Enter');
  expect([await screen.by('message-send').isDisabled(), await box.inputValue()]).toEqual([true, tooLong]);
  await box.fill('😀'.repeat(50_000));
  await screen.by('message-too-long').waitFor({ state: 'detached' });
  expect(await screen.looks('chat-long-text')).toEqual([]);
});

test('a line that cannot be read is shown, not hidden', async () => {
  await using screen = await Screen.open(browser);
  await screen.goToSphere();
  const line = screen.page.locator('[data-testid=message][data-state=undecryptable]');
  expect(await line.textContent()).toContain('A message that cannot be read here');
});
