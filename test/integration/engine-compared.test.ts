import { expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import type { ContactView } from '../../src/contract/people.ts';
import type { MessageView } from '../../src/contract/views.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { PlantedDevice } from '../fixtures/planted-device.ts';

test('devices compared at one computer are compared at the other, and what is taken back there is asked about at both', async () => {
  await using world = await EngineWorld.start(['anna', 'ben']);
  const [desk, ben] = [world.person('anna'), world.person('ben')];
  const jid = parseBareJid(ben.jid);
  await desk.ask((client) => client.people.add({ jid }));
  const { lines } = await desk.ask((client) => client.account.kit({ password: passwordOf('anna') }));
  const laptop = await world.comeBack('anna', lines);
  const added = await eventually('the laptop is there', async () => {
    const { account } = await desk.ask((client) => client.system.snapshot());
    return account?.devices?.find(({ state }) => state === 'new');
  });
  await desk.ask((client) => client.account.confirmDevice({ device: added.device }));

  const benAt = async (at: Person): Promise<ContactView | undefined> =>
    (await at.ask((client) => client.people.list())).people.find((person) => person.jid === jid);
  const trust = (at: Person, wanted: ContactView['trust']) =>
    eventually(`${wanted} at ${at.profile}`, async () => ((await benAt(at))?.trust === wanted ? true : undefined));
  const compare = async (at: Person, isSame: boolean): Promise<void> => {
    const { devices } = await at.ask((client) => client.people.fingerprints({ jid }));
    const [{ deviceId, fingerprint } = { deviceId: 0, fingerprint: null }] = devices;
    if (fingerprint === null) throw new Error('his device shows nothing');
    await at.ask((client) => client.people.compare({ jid, devices: [{ deviceId, fingerprint }], isSame }));
  };
  const say = async (at: Person, text: string, wanted: MessageView['state']): Promise<void> => {
    const sphereId = (await benAt(at))?.conversationId;
    if (sphereId === undefined) throw new Error('he is not listed');
    const { message } = await at.ask((client) => client.messages.say({ sphereId, text }));
    await eventually(`${text}: ${wanted}`, async () => {
      const { messages } = await at.ask((client) => client.messages.list({ sphereId }));
      return messages.find(({ id }) => id === message.id)?.state === wanted ? true : undefined;
    });
  };

  await eventually('the laptop lists him', () => benAt(laptop));
  await compare(laptop, true);
  await trust(desk, 'compared');
  await using planted = await PlantedDevice.plant(world.prosody, 'ben');
  const overheard = async () => (await planted.overhearMail()).read.filter(({ text }) => text !== null);
  await say(desk, 'for his computer alone', 'sent');
  expect(await overheard()).toEqual([]);

  await compare(desk, false);
  await trust(laptop, 'asked');
  await say(laptop, 'for nobody', 'failed');
  expect(await overheard()).toEqual([]);
});
