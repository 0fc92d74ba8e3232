import { afterAll, beforeAll, expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import { MAX_TEXT_BYTES } from '../../src/base/cut-text.ts';
import { parseBareJid, parseSphereId, type SphereId } from '../../src/base/id.ts';
import type { MessageView } from '../../src/contract/views.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';

let world: EngineWorld;
let anna: Person;
let ben: Person;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben']);
  [anna, ben] = [world.person('anna'), world.person('ben')];
});

afterAll(async () => await world[Symbol.asyncDispose]());

/** As long as a text may be, of signs of one to four bytes. */
function longest(end: string): string {
  const pattern = 'añ€😀\u{FEFF} <&>\n';
  const rest = MAX_TEXT_BYTES - toUtf8(end).length;
  const text = pattern.repeat(Math.floor(rest / toUtf8(pattern).length));
  return text + 'x'.repeat(rest - toUtf8(text).length) + end;
}

/** All lines of a conversation with all of their words. */
async function read(at: Person, sphereId: SphereId): Promise<MessageView[]> {
  return await at.ask(async ({ messages }) => {
    const page = await messages.list({ sphereId, limit: 100 });
    const texts = page.messages.filter(({ kind }) => kind === 'text');
    return await Promise.all(
      texts.map(async (line) => ({ ...line, ...(await messages.text({ sphereId, messageId: line.id })) })),
    );
  });
}

async function sees(at: Person, sphereId: SphereId, text: string): Promise<void> {
  const isThere = ({ text: said, arriving }: MessageView): boolean => said === text && arriving !== true;
  // On a slow machine 34 messages take a while.
  const look = async () => ((await read(at, sphereId)).some(isThere) ? true : undefined);
  await eventually(`the long text at ${at.name}`, look, 120_000);
}

test(
  '200,000 bytes said in a sphere and to one person arrive byte for byte at real programs',
  { timeout: 400_000 },
  async () => {
    const sphere = await world.sphere('Kitchen', anna, ben);
    const sphereId = parseSphereId(sphere);
    const text = longest(' endofsphere');
    await anna.say(sphere, text);
    await sees(ben, sphereId, text);
    const lines = await read(ben, sphereId);
    expect(lines.map((line) => toUtf8(line.text).length)).toEqual([MAX_TEXT_BYTES]);
    expect(await ben.finds('endofsphere')).toHaveLength(1);
    const [listed] = (await ben.messages(sphere)).filter(({ kind }) => kind === 'text');
    expect(listed?.text.length).toBeLessThan(5_000);
    const [said] = await read(anna, sphereId);
    if (said === undefined) throw new Error('nothing was said');
    const other = longest(' other words');
    await anna.ask((client) => client.messages.edit({ sphereId, messageId: said.id, text: other }));
    await sees(ben, sphereId, other);
    await Promise.all([anna.sync(), ben.sync()]);
    expect(await ben.log(sphere)).toEqual(await anna.log(sphere));

    for (const [at, jid] of [
      [anna, ben.jid],
      [ben, anna.jid],
    ] as const) {
      await at.ask((client) => client.people.add({ jid: parseBareJid(jid) }));
    }
    const talkAt = async (at: Person, jid: string): Promise<SphereId> =>
      (await at.ask((client) => client.people.open({ jid: parseBareJid(jid) }))).person.conversationId;
    const [here, there] = [await talkAt(anna, ben.jid), await talkAt(ben, anna.jid)];
    const toBen = longest(' endoftalk');
    await anna.ask((client) => client.messages.say({ sphereId: here, text: toBen }));
    await sees(ben, there, toBen);
    expect(await read(ben, there)).toHaveLength(1);
    expect(await ben.finds('endoftalk')).toHaveLength(1);
    const tooLong = `${toBen}x`;
    const refused = anna.ask((client) => client.messages.say({ sphereId: here, text: tooLong }));
    await expect(refused).rejects.toMatchObject({ data: { code: 'too-large' } });
  },
);
