import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';
import { build } from 'vite';
import { FakeEngine } from '../fixtures/fake-engine.ts';
import { familyWorld } from '../fixtures/fake-world.ts';

const root = join(import.meta.dirname, '..', '..');
const uiFolder = join(root, 'dist', 'ui');
const artefacts = join(root, 'artefacts', 'screens');

/** The built page; building it here only when nobody has. */
export async function builtUi(): Promise<string> {
  if (!existsSync(join(uiFolder, 'index.html'))) {
    await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' });
  }
  return uiFolder;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--headless=new',
      '--disable-gpu',
      '--disable-background-networking',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}

/** One page on an engine of its own, which notes everything that must not happen. */
export class Screen implements AsyncDisposable {
  readonly engine: FakeEngine;
  readonly page: Page;
  /** Requests that left the machine, violations of the policy, uncaught errors. */
  readonly complaints: string[] = [];

  constructor(engine: FakeEngine, page: Page) {
    this.engine = engine;
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (/Content Security Policy|Vue warn|Refused to/i.test(message.text())) this.complaints.push(message.text());
    });
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      if (/^(https?|wss?):$/.test(protocol) && host !== new URL(engine.url).host) this.complaints.push(request.url());
    });
  }

  static async open(browser: Browser, options: BrowserContextOptions & { signedIn?: boolean } = {}): Promise<Screen> {
    const { signedIn = true, ...context } = options;
    const engine = new FakeEngine({ uiFolder: await builtUi(), world: await familyWorld(), signedIn });
    await engine.start();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...context });
    page.setDefaultTimeout(15_000);
    return new Screen(engine, page);
  }

  by(testId: string) {
    return this.page.getByTestId(testId);
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

  /** The tile of the item with this name. */
  tile(name: string) {
    return this.by('item-card').filter({ hasText: name });
  }

  /** A number that the element itself knows. */
  property(element: Locator, name: string): Promise<number> {
    return element.evaluate((node: object, key) => Number(Reflect.get(node, key)), name);
  }

  async picture(name: string): Promise<void> {
    await mkdir(artefacts, { recursive: true });
    await this.page.screenshot({ path: join(artefacts, `${name}.png`) });
  }

  /** Violations of WCAG 2.2 AA that axe finds on the page as it is, one line each. */
  async violations(): Promise<string[]> {
    // Colours in the middle of a fade are nobody's final colours.
    await this.page.evaluate(`Promise.race([
      Promise.allSettled(document.getAnimations().map((animation) => animation.finished)),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ])`);
    const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    await this.page.evaluate(source);
    const found: { id: string; targets: string[] }[] = await this.page.evaluate(`
      axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) =>
        violations.map(({ id, nodes }) => ({ id, targets: nodes.map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')) })))`);
    const lines = found.flatMap(({ id, targets }) => targets.map((target) => `${id}: ${target}`));
    // The names of the player's own controls ("playback rate", "current time") are the package's, and complete.
    return lines.filter((line) => !line.startsWith('label-content-name-mismatch: media-'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    await this.engine[Symbol.asyncDispose]();
  }
}
