import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { FakeEngine } from '../fixtures/fake-engine.ts';
import { familyWorld } from '../fixtures/fake-world.ts';
import { AppPage } from './app-page.ts';

const uiFolder = join(import.meta.dirname, '..', '..', 'dist', 'ui');

export function launchChromium(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
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

/** A page on an engine of its own that knows a made-up family. */
export class Screen extends AppPage implements AsyncDisposable {
  readonly engine: FakeEngine;

  constructor(engine: FakeEngine, page: Page) {
    super(page, () => new URL(engine.url).host);
    this.engine = engine;
  }

  static async open(browser: Browser, options: BrowserContextOptions & { signedIn?: boolean } = {}): Promise<Screen> {
    const { signedIn = true, ...context } = options;
    const engine = new FakeEngine({ uiFolder, world: await familyWorld(), signedIn });
    await engine.start();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...context });
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    await this.engine[Symbol.asyncDispose]();
  }
}
