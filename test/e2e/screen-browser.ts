import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findFirstCommand, HEADLESS_CHROMIUM } from '../../tools/bootstrap/packages.mjs';
import { FakeEngine } from '../fixtures/fake-engine.ts';
import type { FakeHost } from '../fixtures/fake-router.ts';
import { familyWorld } from '../fixtures/fake-world.ts';
import { AppPage, OF_COLOURS, OF_WCAG } from './app-page.ts';

const uiFolder = join(import.meta.dirname, '..', '..', 'dist', 'ui');

export function launchChromium(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? findFirstCommand(HEADLESS_CHROMIUM) ?? 'chromium',
    args: [
      '--no-sandbox',
      '--headless=new',
      '--disable-gpu',
      '--disable-background-networking',
      '--autoplay-policy=no-user-gesture-required',
      '--no-first-run',
      ...more,
    ],
  });
}

const WIDE = { width: 1280, height: 800 };
const LOOKS = [
  { look: 'light', colorScheme: 'light', viewport: WIDE },
  { look: 'dark', colorScheme: 'dark', viewport: WIDE },
  { look: 'narrow', colorScheme: 'light', viewport: { width: 400, height: 800 } },
] as const;

interface ScreenOptions extends BrowserContextOptions {
  readonly signedIn?: boolean;
  readonly people?: NonNullable<FakeHost['people']>;
}

/** A page on an engine of its own that knows a made-up family. */
export class Screen extends AppPage implements AsyncDisposable {
  readonly engine: FakeEngine;

  constructor(engine: FakeEngine, page: Page) {
    super(page, () => new URL(engine.url).host);
    this.engine = engine;
  }

  static async open(browser: Browser, options: ScreenOptions = {}): Promise<Screen> {
    const { signedIn = true, people, ...context } = options;
    const shared = people === undefined ? {} : { people };
    const engine = new FakeEngine({ uiFolder, world: await familyWorld(), signedIn, ...shared });
    await engine.start();
    const page = await browser.newPage({ viewport: WIDE, locale: 'en-GB', ...context });
    page.setDefaultTimeout(15_000);
    return new Screen(engine, page);
  }

  async goHome(): Promise<void> {
    await this.page.goto(this.engine.url);
    await this.by('sphere-card').first().waitFor();
  }

  async goToSphere(): Promise<void> {
    await this.goHome();
    await this.by('sphere-card').first().click();
    await this.by('item-card').first().waitFor();
  }

  /**
   * Takes a picture of the page as it is in both colours and as narrow as a telephone.
   * @returns what axe finds, and where something hangs over the edge, one line each
   */
  async looks(name: string): Promise<string[]> {
    const found: string[] = [];
    for (const { look, colorScheme, viewport } of LOOKS) {
      await this.page.setViewportSize(viewport);
      await this.#wear(colorScheme);
      await this.picture(`${name}-${look}`);
      const lines = await this.violations(look === 'dark' ? OF_COLOURS : OF_WCAG);
      const overflow = await this.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      if (overflow > 0) lines.push(`${overflow} pixels too wide`);
      found.push(...lines.map((line) => `${look}: ${line}`));
    }
    await this.page.setViewportSize(WIDE);
    await this.#wear('light');
    return found;
  }

  /** What axe finds on the page as it is, in light and dark colours, one line each. */
  async violationsInBothColours(): Promise<string[]> {
    const found: string[] = [];
    for (const colorScheme of ['dark', 'light'] as const) {
      await this.#wear(colorScheme);
      const rules = colorScheme === 'dark' ? OF_COLOURS : OF_WCAG;
      found.push(...(await this.violations(rules)).map((line) => `${colorScheme}: ${line}`));
    }
    return found;
  }

  /** Colours begin to fade with the second frame after the change. */
  async #wear(colorScheme: 'light' | 'dark'): Promise<void> {
    await this.page.emulateMedia({ colorScheme });
    await this.page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    await this.engine[Symbol.asyncDispose]();
  }
}
