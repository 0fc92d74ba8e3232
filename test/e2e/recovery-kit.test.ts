import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { AppPage } from './app-page.ts';
import { cameraArguments, filmOfPicture } from './fake-camera.ts';
import { Household } from './household.ts';
import { launchChromium } from './screen-browser.ts';

const SPHERE = 'Family';

test('the code of the kit is read by the camera of a new computer, where the spheres are back, and the old one is ended', async () => {
  await using world = await EngineWorld.start(['anna', 'ben']);
  await using browser = await launchChromium();
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  const sphere = await world.sphere(SPHERE, anna, ben);
  await anna.say(sphere, 'from the old one');
  await ben.sees(sphere, 'from the old one');

  const old = new AppPage(await browser.newPage(), () => new URL(anna.engine.url).host);
  await old.page.goto(await anna.engine.pageUrl());
  await old.by('nav-settings').click();
  await old.by('kit-make').click();
  await old.by('kit-password').fill(passwordOf('anna'));
  await old.by('kit-show').click();
  const kit = old.page.getByRole('dialog');
  await kit.getByTestId('kit-line').first().waitFor();
  await old.picture('kit-camera-01-shown');
  const lines = await kit.getByTestId('kit-line').allTextContents();
  const film = join(world.folder, 'kit.y4m');
  await filmOfPicture(film, await kit.getByTestId('qr-code').screenshot());
  await anna.sync();
  await anna.engine.stop();

  await using withCamera = await launchChromium(...cameraArguments(film));
  await using fresh = await Household.start(withCamera, world.prosody, 'anna', anna.address.replace(/\.\d+$/, '.90'));
  await fresh.fillIn(passwordOf('anna'));
  await fresh.by('sign-in-has-kit').click();
  await fresh.by('code-camera').click();
  await fresh.by('code-video').waitFor({ state: 'detached' });
  expect(await fresh.by('sign-in-kit').inputValue()).toContain(lines.join('').replaceAll(' ', ''));
  await fresh.by('sign-in-replaces').click();
  await fresh.picture('kit-camera-02-read');
  await fresh.submit();
  await fresh.by('sphere-card').filter({ hasText: SPHERE }).click();
  await fresh.message('from the old one').waitFor();
  await fresh.say('from the new one');
  await ben.sees(sphere, 'from the new one');
  await fresh.picture('kit-camera-03-restored');
  const states = async (): Promise<string[]> => {
    const { devices } = await fresh.engine.command<{ devices: { state: string }[] }>(['account', 'devices']);
    return devices.map(({ state }) => state);
  };
  await expect.poll(states).toEqual(['here', 'ended']);
  expect([...old.complaints, ...fresh.complaints]).toEqual([]);
});
