import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { ProfileView } from '../../src/contract/profiles.ts';
import { EngineProcess, eventually } from '../fixtures/engine-process.ts';
import { launchChromium, Screen } from './screen-browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const person = (id: string, name: string, account: string | null, more: Partial<ProfileView> = {}): ProfileView => ({
  ...{ id, name, account, isListed: true, isRunning: false, isCurrent: false },
  ...more,
});

const family = (): ProfileView[] => [
  person('first', '', 'anna@example.org', { isCurrent: true, isRunning: true }),
  person('b', 'Ben', 'ben@example.net', { isRunning: true }),
  person('c', 'Grandma Élise', null),
];

test('whoever opens the application on a shared computer says who they are, and is not asked again', async () => {
  await using screen = await Screen.open(browser, { people: { profiles: family(), ask: true } });
  await screen.page.goto(screen.engine.url);
  await screen.by('who').waitFor();
  await expect.poll(() => screen.by('who-person').count()).toBe(3);
  expect(await screen.looks('who')).toEqual([]);
  await screen.by('who-person').first().click();
  await screen.by('sphere-card').first().waitFor();
  await screen.page.reload();
  await screen.by('sphere-card').first().waitFor();
  expect(screen.complaints).toEqual([]);
});

test('a person is taken off the list and put back, and the way back is not lost', async () => {
  await using screen = await Screen.open(browser, { people: { profiles: family() } });
  await screen.goHome();
  await screen.by('switch-person').click();
  await screen.by('who-edit').click();
  await screen.by('who-remove').nth(2).click();
  await screen.page.getByText('Grandma Élise is off the list').first().waitFor();
  expect(await screen.looks('who-editing')).toEqual([]);
  await screen.by('who-edit').click();
  expect(await screen.by('who-person').count()).toBe(2);
  await screen.by('who-edit').click();
  await screen.by('who-remove').nth(2).click();
  await screen.by('who-edit').click();
  await expect.poll(() => screen.by('who-person').count()).toBe(3);
  await screen.by('who-back').click();
  await screen.by('sphere-card').first().waitFor();
});

test('whoever uses the application in a browser can end it, and the page says that it has ended', async () => {
  await using screen = await Screen.open(browser, { people: { profiles: family() } });
  await screen.goHome();
  await screen.by('account-chip').click();
  await screen.by('quit').click();
  await screen.by('confirm').waitFor();
  expect(await screen.looks('quit')).toEqual([]);
  await screen.by('confirm').click();
  await screen.by('ended').waitFor();
  expect(screen.complaints).toEqual([]);
});

test('a second person is added, has an engine of their own, and the two go to and fro', async () => {
  const data = await mkdtemp(join(tmpdir(), 'computer-'));
  // For the engines and for the command line alike.
  for (const name of ['HOME', 'XDG_DATA_HOME']) vi.stubEnv(name, data);
  const people = join(data, 'spherecast-people');
  const running = async (): Promise<string[]> => {
    const files = await readdir(people, { recursive: true }).catch(() => []);
    return files.filter((file) => file.endsWith('engine.json'));
  };
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    for (const file of await running()) {
      process.kill((JSON.parse(await readFile(join(people, file), 'utf8')) as { pid: number }).pid);
    }
    await eventually('the second engine ends', async () => ((await running()).length === 0 ? true : undefined));
    await rm(data, { recursive: true, force: true });
  });
  await using engine = await EngineProcess.start({ address: '127.0.0.3', profile: join(data, 'spherecast') });
  const page = await browser.newPage({ locale: 'en-GB' });
  page.setDefaultTimeout(15_000);
  const requests: string[] = [];
  page.on('request', (request) => requests.push(`${request.url()} ${request.headers()['referer'] ?? ''}`));
  await page.goto(engine.url);
  await page.getByTestId('sign-in-jid').waitFor();
  await engine.command(['profiles', 'add', 'Ben']);
  await page.reload();
  const first = new URL(page.url()).host;
  await page.getByTestId('switch-person').click();
  await page.getByTestId('who-person').nth(1).click();
  await page.waitForURL((url) => url.host !== first && url.search === '');
  await page.getByTestId('sign-in-jid').waitFor();
  const second = new URL(page.url()).host;
  // The same engine is opened again, and not another one beside it.
  await page.getByTestId('switch-person').click();
  await page.getByTestId('who-person').first().click();
  await page.waitForURL((url) => url.host === first && url.search === '');
  await page.getByTestId('switch-person').click();
  await page.getByTestId('who-person').nth(1).click();
  await page.waitForURL((url) => url.host === second && url.search === '');
  const { profiles } = (await engine.command(['profiles', 'list'])) as {
    profiles: { name: string; running: boolean }[];
  };
  expect(profiles).toMatchObject([{ running: true }, { name: 'Ben', running: true }]);
  const tokens = requests.filter(
    (line) => line.includes('token=') && new URL(line.split(' ')[0] ?? '').host === second,
  );
  expect(tokens).toHaveLength(2);
  expect(requests.filter((line) => / .*token=/.test(line))).toEqual([]);
});
