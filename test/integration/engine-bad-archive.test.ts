import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { parseSphereId } from '../../src/base/id.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { Notice } from '../../src/engine/notice.ts';
import { followNotices } from '../../src/engine/notices.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import type { HostileProxy } from '../fixtures/hostile-proxy.ts';
import { startHostileProxy } from '../fixtures/hostile-proxy.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import { StanzaSplitter } from '../fixtures/stanza-splitter.ts';

const PATIENCE_MS = 600_000;
/** XEP-0198 counts stanzas: where they get lost on the way nobody may count. */
const COUNTING = /<sm xmlns=(['"])urn:xmpp:sm:3\1\s*(?:\/>|>.*?<\/sm>)/s;

let world: EngineWorld;
let proxy: HostileProxy;
let anna: Person;
let ben: Person;
let carl: Person;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben', 'carl'], { users: { dora: passwordOf('dora') } });
  [anna, ben, carl] = [world.person('anna'), world.person('ben'), world.person('carl')];
  proxy = await startHostileProxy(world.prosody);
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Of each kind of what the room says live, to carl, each third is hidden and the others change places in pairs. */
class BadRoom {
  isBad = false;
  hidden = 0;
  swapped = 0;
  /** What carl said himself, and the room does not send back to him. */
  swallowed = 0;
  #splitter = new StanzaSplitter();
  readonly #heard = new Map<string, number>();
  #late = '';

  rewrite(text: string): string {
    // What was held back is lost with the connection.
    if (text.startsWith('<?xml')) [this.#splitter, this.#late] = [new StanzaSplitter(), ''];
    const parts = this.#splitter.push(text.replace(COUNTING, ''));
    return parts.map(({ kind, text: part }) => (kind === 'stanza' ? this.#pass(part) : part)).join('');
  }

  #pass(stanza: string): string {
    const [head = ''] = /^<message [^>]*>/.exec(stanza) ?? [];
    if (!this.isBad || !/type=(['"])groupchat\1/.test(head)) return this.#release(stanza);
    const isOwn = /from=(['"])[^'"]*\/carl-/.test(head);
    const isLasting = stanza.includes('<encrypted');
    const kind = `${isOwn} ${isLasting}`;
    const count = (this.#heard.get(kind) ?? 0) + 1;
    this.#heard.set(kind, count);
    if (count % 3 === 0) {
      if (isOwn && isLasting) this.swallowed += 1;
      else this.hidden += 1;
      return '';
    }
    if (this.#late !== '') return this.#release(stanza);
    this.#late = stanza;
    return '';
  }

  #release(stanza: string): string {
    const late = this.#late;
    this.#late = '';
    if (late !== '') this.swapped += 1;
    return stanza + late;
  }
}

/** The server forgets all that was said in its rooms. */
async function forgetArchive(): Promise<number> {
  await world.prosody.pause();
  const kept = await readdir(world.prosody.dataDir, { recursive: true });
  const archive = kept.filter((path) => /muc_log\/./.test(path));
  for (const path of archive) await rm(join(world.prosody.dataDir, path), { force: true });
  await world.prosody.restart();
  return archive.length;
}

test('a server that hides, swallows and reorders what is said, and then forgets all of it, keeps nothing from anybody', async () => {
  const room = new BadRoom();
  proxy.rewrite = (text) => room.rewrite(text);
  const { host, c2sPort, caFile } = proxy;
  const login = { jid: carl.jid, password: passwordOf('carl'), register: false, server: `${host}:${c2sPort}`, caFile };
  await carl.ask((client) => client.account.signIn(login));
  const sphere = await world.sphere('Forgetful', anna, ben, carl);

  room.isBad = true;
  const said: string[] = [];
  const say = async (person: Person, text: string): Promise<void> => {
    said.push(text);
    await person.say(sphere, text);
  };
  for (let round = 0; round < 4; round += 1) {
    for (const one of [anna, ben, carl]) await say(one, `${one.name} ${round}`);
  }
  await anna.sees(sphere, 'ben 3');
  await ben.engine.stop();
  for (let round = 4; round < 7; round += 1) await say(anna, `anna ${round}`);
  const path = join(world.folder, 'meanwhile.bin');
  await writeFile(path, randomBytes(100_000));
  const item = await anna.share(sphere, path);

  expect(await forgetArchive()).toBeGreaterThan(0);
  await ben.restart();
  room.isBad = false;
  await say(carl, 'carl at last');
  await eventually(
    'all logs agree',
    async () => {
      const logs = await Promise.all([anna, ben, carl].map(async (one) => JSON.stringify(await one.log(sphere))));
      const texts = await Promise.all([anna, ben, carl].map((one) => one.texts(sphere)));
      const isWhole = texts.every((each) => said.every((text) => each.includes(text)));
      return isWhole && logs.every((log) => log === logs[0]) ? true : undefined;
    },
    30_000,
  );
  expect([room.hidden > 3, room.swapped > 3, room.swallowed > 0]).toEqual([true, true, true]);
  for (const one of [anna, ben, carl]) expect(await one.texts(sphere)).toHaveLength(said.length);
  expect(await readFile(await ben.get(sphere, item))).toEqual(await readFile(path));
});

/** What is said in rooms, live and as their archives tell it; `hides` decides by the event that it carries. */
function hiding(hides: (event: string) => boolean): (text: string) => string {
  let splitter = new StanzaSplitter();
  const isHidden = (stanza: string): boolean => {
    const event = /<sealed [^>]*event=['"]([0-9a-f]{64})/.exec(stanza)?.[1];
    return event !== undefined && /type=(['"])groupchat\1/.test(stanza) && hides(event);
  };
  return (text) => {
    if (text.startsWith('<?xml')) splitter = new StanzaSplitter();
    return splitter
      .push(text.replace(COUNTING, ''))
      .map(({ kind, text: part }) => (kind === 'stanza' && isHidden(part) ? '' : part))
      .join('');
  };
}

test('what a server hides from somebody is told in plain words, and what its archive has forgotten is not', async () => {
  let skippedMs = 0;
  const clock: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + skippedMs,
    sleep: (ms, signal) => systemClock.sleep(ms === PATIENCE_MS ? 200 : ms, signal),
  };
  await using line = await startHostileProxy(world.prosody);
  const server = { ...world.prosody, host: line.host, c2sPort: line.c2sPort, caFile: line.caFile };
  const hidden = new Set<string>();
  const isHiding = { now: false };
  line.rewrite = hiding((event) => (isHiding.now ? hidden.add(event).has(event) : hidden.has(event)));
  await using dora = await RawMember.start(server, 'dora', undefined, { clock });
  const told: Notice[] = [];
  const stop = followNotices(dora.session, (notice) => told.push(notice), clock);

  for (const name of ['Expired', 'Withheld']) {
    const sphere = await world.sphere(name, anna);
    await anna.invite(sphere, dora.session.own);
    await dora.join(name);
    const texts = (): string[] =>
      dora.session.storage.messages.newest(parseSphereId(sphere), 50).map(({ text }) => text);
    const comes = (text: string) => eventually(text, () => Promise.resolve(texts().includes(text) || undefined));
    await anna.say(sphere, 'first');
    await comes('first');
    isHiding.now = true;
    const before = hidden.size;
    for (const text of ['second', 'third']) await anna.say(sphere, text);
    await anna.sync();
    await eventually('both are hidden', () => Promise.resolve(hidden.size >= before + 2 || undefined));
    isHiding.now = false;
    await anna.say(sphere, 'fourth');
    for (const text of ['second', 'third', 'fourth']) await comes(text);
    // It has forgotten whatever was said so far.
    if (name === 'Expired') for (const { id } of dora.sphere(sphere).log.events()) hidden.add(id);
  }
  skippedMs = 2 * PATIENCE_MS;
  const withheld = () => told.filter(({ code }) => code.endsWith('-withheld'));
  await eventually('it is told', () => Promise.resolve(withheld()[0]));
  stop();
  const params = { sphere: 'Withheld', count: '2', people: 'Anna', server: world.prosody.mucDomain };
  expect(withheld()).toEqual([{ code: 'messages-withheld', params }]);
});
