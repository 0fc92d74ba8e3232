import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import type { z } from 'zod';
import type { itemsShape } from '../../src/cli/shapes.ts';
import { EngineProcess, eventually } from '../fixtures/engine-process.ts';
import type { Prosody } from '../fixtures/prosody.ts';
import { AppPage } from './app-page.ts';
import { BREAK_IN, type Loot } from './hostile-page.ts';

type Item = z.infer<typeof itemsShape>['items'][number];

/** Notes on the page when something was clicked and when a film showed something, in its own milliseconds. */
const STOPWATCH = `
  window.marks = {};
  const mark = (name) => { window.marks[name] = performance.now(); };
  addEventListener('click', () => mark('click'), true);
  for (const name of ['loadeddata', 'playing', 'seeking', 'seeked']) addEventListener(name, () => mark(name), true);
`;

export type Mark = 'click' | 'loadeddata' | 'playing' | 'seeking' | 'seeked';

/** One person: an account, a computer with a home folder and a running engine, and its page in a browser. */
export class Household extends AppPage implements AsyncDisposable {
  readonly name: string;
  readonly jid: string;
  readonly home: string;
  readonly #server: string;
  readonly #options: { readonly address: string; readonly env: Readonly<Record<string, string>> };
  #engine: EngineProcess;

  private constructor(
    page: Page,
    parts: {
      name: string;
      jid: string;
      home: string;
      server: string;
      options: { address: string; env: Record<string, string> };
      engine: EngineProcess;
    },
  ) {
    super(page, () => new URL(this.#engine.url).host);
    this.name = parts.name;
    this.jid = parts.jid;
    this.home = parts.home;
    this.#server = parts.server;
    this.#options = parts.options;
    this.#engine = parts.engine;
  }

  static async start(browser: Browser, prosody: Prosody, name: string, address: string): Promise<Household> {
    const home = await mkdtemp(join(tmpdir(), `home-of-${name}-`));
    // The test's authority is known to this engine as one installed on the machine would be.
    const options = { address, env: { HOME: home, NODE_EXTRA_CA_CERTS: prosody.caFile } };
    const engine = await EngineProcess.start({ ...options, profile: join(home, '.spherecast'), keepPort: true });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.addInitScript(STOPWATCH);
    const server = `${prosody.host}:${prosody.c2sPort}`;
    return new Household(page, { name, jid: `${name}@${prosody.domain}`, home, server, options, engine });
  }

  get engine(): EngineProcess {
    return this.#engine;
  }

  /** Opens the page as the command line does, and signs in as a person does. */
  async signIn(password: string): Promise<void> {
    await this.fillIn(password);
    await this.submit();
  }

  /** Opens the page and says who wants to sign in. */
  async fillIn(password: string): Promise<void> {
    await this.page.goto(await this.#engine.pageUrl());
    await this.by('sign-in-jid').fill(this.jid);
    await this.by('sign-in-password').fill(password);
    await this.by('sign-in-advanced').click();
    await this.by('sign-in-server').fill(this.#server);
  }

  /** Signs in with what was filled in. */
  async submit(): Promise<void> {
    await this.by('sign-in-submit').click();
    await this.page.locator('[data-testid=account-chip][data-state=online]').waitFor();
  }

  /** Makes an account at the server of this family, as somebody who never had one. */
  async createAccount(password: string): Promise<void> {
    await this.page.goto(await this.#engine.pageUrl());
    await this.by('sign-in-register').click();
    await this.by('server-other').check();
    await this.by('new-account-domain').fill(this.jid.split('@')[1] ?? '');
    await this.by('new-account-next').click();
    await this.by('new-account-name').fill(this.name);
    await this.by('new-account-password').fill(password);
    await this.by('sign-in-advanced').click();
    await this.by('sign-in-server').fill(this.#server);
    await this.by('new-account-create').click();
  }

  entry(name: string): Locator {
    return this.page.locator(`[data-testid=picker-entry][data-name="${name}"]`);
  }

  async say(text: string): Promise<void> {
    await this.by('message-box').fill(text);
    await this.by('message-box').press('Enter');
  }

  /** What the command line says of an item. */
  async item(sphere: string, name: string): Promise<Item> {
    const { items } = await this.#engine.command<z.infer<typeof itemsShape>>(['items', sphere]);
    const item = items.find((one) => one.name === name);
    if (item === undefined) throw new Error(`${this.name} has no item ${name}`);
    return item;
  }

  /** Milliseconds between two things that happened on the page. */
  async took(from: Mark, to: Mark): Promise<number> {
    return this.page.evaluate<number>(`window.marks.${to} - window.marks.${from}`);
  }

  /** Seconds of the film in the player. */
  playedSeconds(): Promise<number> {
    return this.property(this.by('player-video'), 'currentTime');
  }

  /** Where the last stretch of the film ends that the player holds, in seconds. */
  bufferedSeconds(): Promise<number> {
    return this.by('player-video').evaluate((node: object) => {
      const { buffered } = node as { buffered: { readonly length: number; end(index: number): number } };
      return buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    });
  }

  /** The preview picture of an item, loaded. */
  async preview(name: string): Promise<void> {
    const picture = this.tile(name).locator('img[src^="/preview"]');
    await picture.waitFor({ state: 'attached' });
    await eventually(`the picture of ${name}`, async () =>
      (await this.property(picture, 'naturalWidth')) > 0 ? true : undefined,
    );
  }

  message(text: string): Locator {
    return this.by('message').filter({ hasText: text });
  }

  /** Where the engine keeps the files of a sphere. */
  sphereFolder(sphere: string): string {
    return join(this.#engine.profile, 'spheres', sphere);
  }

  /** Clicks on the player's time line at a share of its length. */
  async jumpTo(share: number): Promise<void> {
    const line = await this.page.locator('media-time-range').boundingBox();
    if (line === null) throw new Error('the player has no time line');
    await this.page.mouse.click(line.x + line.width * share, line.y + line.height / 2);
  }

  /** What each way of getting at the engine gives the script of a page in this person's browser. */
  breakIn(page: Page, target: { engine: string; paths: readonly string[] }): Promise<Loot> {
    return page.evaluate<Loot>(`(${BREAK_IN})(${JSON.stringify(target)})`);
  }

  /** From now on counts the frames in which the page showed nothing of the application. */
  async watchForBlankness(): Promise<void> {
    await this.page.evaluate(`
      window.blankFrames = 0;
      const look = () => {
        if (document.body.innerText.trim() === '' || document.querySelector('[data-testid=sphere-page]') === null) {
          window.blankFrames += 1;
        }
        requestAnimationFrame(look);
      };
      look();
    `);
  }

  blankFrames(): Promise<number> {
    return this.page.evaluate<number>('window.blankFrames');
  }

  /** Ends the engine as the system does; `back` starts it again as the person would. */
  stop(): Promise<number> {
    return this.#engine.stop();
  }

  async back(): Promise<void> {
    const { env } = this.#options;
    this.#engine = await EngineProcess.start({ env, profile: this.#engine.profile, keepPort: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    await this.#engine[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}
