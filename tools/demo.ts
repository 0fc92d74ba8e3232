import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { EngineProcess, eventually } from '../test/fixtures/engine-process.ts';
import type { Prosody } from '../test/fixtures/prosody.ts';
import { hasProsody, startProsody } from '../test/fixtures/prosody.ts';
import { ensureElectron, hasDisplay } from './bootstrap/electron.mjs';
import { CHROMIUM, findCommand, findFirstCommand } from './bootstrap/packages.mjs';
import { say } from './bootstrap/say.mjs';
import { openSideBySide, type WindowMeans } from './open-side-by-side.ts';

/** `npm run demo [-- --no-open]`: a family of two on this computer, with a server of its own and a film already shared. */

const run = promisify(execFile);
const FILM_SECONDS = 60;

/** One of the two people: an account, a profile and the application that runs on it. */
interface Person {
  readonly name: 'anna' | 'ben';
  readonly password: string;
  readonly profile: string;
  engine: EngineProcess;
}

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort());

const unknown = process.argv.slice(2).find((arg) => arg !== '--no-open');
if (unknown !== undefined) {
  say(`There is no option ${unknown}.\nusage: npm run demo [-- --no-open]`);
  process.exitCode = 2;
} else if (!hasProsody()) {
  say('The demo needs a chat server of its own: please install prosody and openssl.');
  process.exitCode = 1;
} else if (findCommand('ffmpeg') === undefined) {
  say('The demo makes a film of its own: please install ffmpeg.');
  process.exitCode = 1;
} else process.exitCode = await demo(process.argv.includes('--no-open'));

async function demo(onlyAddresses: boolean): Promise<number> {
  await using things = new AsyncDisposableStack();
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'spherecast-demo-'));
    things.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
    const film = path.join(folder, 'Lake at dawn.mp4');
    say('Filming a minute of colours, and starting a chat server …');
    const camera = new AbortController();
    things.defer(() => camera.abort());
    const filming = makeDemoFilm(film, AbortSignal.any([ending.signal, camera.signal]));
    // Awaited below; until then a failure must not end the program.
    filming.catch(() => undefined);
    const server = things.use(await startProsody({ domain: 'family.test', users: { anna: 'demo-a', ben: 'demo-b' } }));
    const anna = await startPerson(things, server, folder, { name: 'anna', password: 'demo-a' });
    const ben = await startPerson(things, server, folder, { name: 'ben', password: 'demo-b' });
    say('Anna makes a sphere, and Ben joins it …');
    await joinSphere(anna, ben, server);
    await filming;
    say('Anna shares the film …');
    await shareFilm(anna, ben, film);
    ending.signal.throwIfAborted();
    const means = onlyAddresses ? 'none' : await windowMeans();
    await openSideBySide([anna, ben], means, { folder, print: console.log, things });
    say('The demo runs. Ctrl-C ends it and deletes everything it made.');
    // Nothing else may keep the program alive: the wait itself does.
    const awake = setInterval(() => undefined, 60_000);
    if (!ending.signal.aborted) await once(ending.signal, 'abort');
    clearInterval(awake);
  } catch (error) {
    // Interrupted while it was being set up: whatever failed then failed because of that.
    if (!ending.signal.aborted) {
      say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
  }
  say('Ending …');
  return 0;
}

async function makeDemoFilm(file: string, signal: AbortSignal): Promise<void> {
  const colours = 'n=4:c0=0x08262f:c1=0x176f81:c2=0xec6a33:c3=0xffccad';
  const picture = `gradients=size=854x480:rate=25:${colours}:x0=0:y0=0:x1=854:y1=480:speed=0.015`;
  const sound =
    'aevalsrc=0.08*sin(220*2*PI*t)+0.06*sin(277.18*2*PI*t)+0.05*sin(329.63*2*PI*t)|0.05*sin(440*2*PI*t):s=48000';
  const args = ['-y', '-loglevel', 'error', '-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound];
  args.push('-t', String(FILM_SECONDS), '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50');
  args.push('-b:v', '2500k', '-c:a', 'aac', '-b:a', '128k', '-af', `afade=in:d=3,afade=out:st=${FILM_SECONDS - 3}:d=3`);
  await run('ffmpeg', [...args, '-movflags', '+faststart', file], { signal });
}

async function startPerson(
  things: AsyncDisposableStack,
  server: Prosody,
  folder: string,
  { name, password }: Pick<Person, 'name' | 'password'>,
): Promise<Person> {
  ending.signal.throwIfAborted();
  const profile = path.join(folder, name);
  const engine = await EngineProcess.start({ profile, address: '127.0.0.1' });
  const person: Person = { name, password, profile, engine };
  // Whichever engine runs at the end: the desktop application may have taken over.
  things.defer(() => person.engine[Symbol.asyncDispose]());
  const place = ['--server', `${server.host}:${server.c2sPort}`, '--ca', server.caFile];
  await engine.command(['account', 'add', `${name}@${server.domain}`, '--password-stdin', ...place], `${password}\n`);
  return person;
}

async function joinSphere(anna: Person, ben: Person, server: Prosody): Promise<void> {
  ending.signal.throwIfAborted();
  await anna.engine.command(['sphere', 'create', 'Summer']);
  await anna.engine.command(['sphere', 'invite', 'Summer', `ben@${server.domain}`]);
  const invitation = await eventually('the invitation', async () => {
    ending.signal.throwIfAborted();
    const answer = await ben.engine.command<{ invitations: { id: string }[] }>(['sphere', 'invitations']);
    return answer.invitations[0];
  });
  await ben.engine.command(['sphere', 'join', invitation.id]);
}

async function shareFilm(anna: Person, ben: Person, film: string): Promise<void> {
  ending.signal.throwIfAborted();
  await anna.engine.command(['share', 'Summer', film, '--wait']);
  await eventually('the film on the other side', async () => {
    ending.signal.throwIfAborted();
    const { items } = await ben.engine.command<{ items: unknown[] }>(['items', 'Summer']);
    return items.length > 0 ? true : undefined;
  });
}

async function windowMeans(): Promise<WindowMeans> {
  return {
    electron: await ensureElectron(process.execPath),
    hasDisplay: hasDisplay(process.platform, process.env),
    chromium: findFirstCommand(CHROMIUM),
  };
}
