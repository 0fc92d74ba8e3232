import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';

const artefacts = join(import.meta.dirname, '..', '..', 'artefacts', 'screens');

/** Rules of axe, by what they are for. */
export interface AxeRules {
  readonly type: 'tag' | 'rule';
  readonly values: readonly string[];
}
export const OF_WCAG: AxeRules = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] };
/** All that can become wrong when only the colours change. */
export const OF_COLOURS: AxeRules = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };

/** The application on one page of a browser, which notes everything that must not happen. */
export class AppPage {
  readonly page: Page;
  /** Requests that left the engine, violations of the policy, uncaught errors. */
  readonly complaints: string[] = [];

  /** `host` is the `address:port` of the engine, the only one the page may ask. */
  constructor(page: Page, host: () => string) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (/Content Security Policy|Vue warn|Refused to/i.test(message.text())) this.complaints.push(message.text());
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(https?|wss?):$/.test(url.protocol) && url.host !== host()) this.complaints.push(request.url());
    });
  }

  by(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** Chooses what is called so in a menu. */
  async choose(menu: Locator, words: RegExp): Promise<void> {
    await menu.click();
    await this.page.getByRole('menuitem', { name: words }).click();
  }

  /** The tile of the item with this name. */
  tile(name: string): Locator {
    return this.by('item-card').filter({ hasText: name });
  }

  /** A number that the element itself knows. */
  property(element: Locator, name: string): Promise<number> {
    return element.evaluate((node: object, key) => Number(Reflect.get(node, key)), name);
  }

  /** Pixels of a scrolled box that lie below its lower edge, once nothing moves. */
  async belowTheEdge(testId: string): Promise<number> {
    await this.settled();
    const box = this.by(testId);
    const [height, top, shown] = await Promise.all(
      ['scrollHeight', 'scrollTop', 'clientHeight'].map((name) => this.property(box, name)),
    );
    return (height ?? 0) - (top ?? 0) - (shown ?? 0);
  }

  async picture(name: string): Promise<void> {
    await this.settled();
    await mkdir(artefacts, { recursive: true });
    await this.page.screenshot({ path: join(artefacts, `${name}.png`) });
  }

  /** Resolves when nothing fades or slides any more; what turns or counts down for longer is left alone. */
  async settled(): Promise<void> {
    await this.page.evaluate(`Promise.race([
      Promise.allSettled(
        document.getAnimations()
          .filter(({ effect }) => effect.getComputedTiming().endTime < 1000)
          .map((animation) => animation.finished),
      ),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ])`);
  }

  /** Violations of WCAG 2.2 AA that axe finds on the page as it is, one line each. */
  async violations(rules = OF_WCAG): Promise<string[]> {
    await this.settled();
    if (!(await this.page.evaluate<boolean>("'axe' in window"))) {
      await this.page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    }
    // A notice may pass away while axe looks: what is no longer on the page is no violation of it.
    const found: { id: string; targets: string[] }[] = await this.page.evaluate(`
      axe.run({ runOnly: ${JSON.stringify(rules)}, resultTypes: ['violations'], elementRef: true }).then(({ violations }) =>
        violations.map(({ id, nodes }) => ({ id, targets: nodes.filter((node) => node.element.isConnected)
          .map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')) })))`);
    const lines = found.flatMap(({ id, targets }) => targets.map((target) => `${id}: ${target}`));
    // The names of the player's own controls ("playback rate", "current time") are the package's, and complete;
    // the hidden stops around notices hand the keyboard on at once.
    const ofPackages = /^label-content-name-mismatch: media-|^aria-hidden-focus: div\[role="region"\] > span/;
    return lines.filter((line) => !ofPackages.test(line));
  }
}
