import { parseBareJid } from '../../base/id.ts';
import { readXmppUri } from '../../base/xmpp-uri.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { chosenDevicesShape, okShape, peopleShape, personAnswerShape } from '../shapes.ts';
import { plain, table } from '../words.ts';
import { verifyPersonCommand } from './verify-person.ts';

const one = { min: 1, max: 1 };

export const peopleCommands = [
  defineCommand({
    name: 'person list',
    summary: 'Lists the people you know, and those who wait for an answer.',
    shape: peopleShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.people.list(undefined, { signal });
    },
    describe: ({ people }) =>
      table(
        people.map(({ jid, name, standing, online, movedFrom }) => {
          const where =
            movedFrom === null ? '' : `was ${movedFrom.jid}${movedFrom.isConfirmed ? '' : ' (not confirmed)'}`;
          return [plain(name), standing, online ? 'online' : 'offline', jid, where];
        }),
        'nobody yet',
      ),
  }),
  defineCommand({
    name: 'person add',
    usage: 'JID|LINK',
    summary: 'Puts somebody on your list and asks to see when they are online; accepts a request of theirs.',
    options: { name: { value: 'NAME', help: 'what you call them' } },
    positionals: one,
    shape: personAnswerShape,
    async run({ connect, signal, positionals, values }) {
      using engine = await connect();
      const [text = ''] = positionals;
      const link = readXmppUri(text);
      const name = values.get('name') ?? link?.name ?? undefined;
      const token = link?.preauth ?? undefined;
      const rest = { ...(name === undefined ? {} : { name }), ...(token === undefined ? {} : { token }) };
      const input = { jid: link?.jid ?? parseBareJid(text), ...rest };
      return await engine.client.people.add(input, { signal });
    },
    describe: ({ person }) => `${plain(person.name)} is on your list`,
  }),
  defineCommand({
    name: 'person remove',
    usage: 'JID',
    summary: 'Takes somebody off your list; what was said stays.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      return await engine.client.people.remove({ jid: parseBareJid(positionals[0] ?? '') }, { signal });
    },
    describe: () => 'removed',
  }),
  defineCommand({
    name: 'person block',
    usage: 'JID',
    summary: 'Takes nothing from somebody any more, or with --off everything again.',
    options: {
      report: { help: 'tell the people who run your server that they send spam' },
      off: { help: 'let them in again' },
    },
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const jid = parseBareJid(positionals[0] ?? '');
      if (flags.has('off')) return await engine.client.people.unblock({ jid }, { signal });
      return await engine.client.people.block({ jid, report: flags.has('report') }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'person follow',
    usage: 'JID',
    summary: 'Somebody you know has moved to this address: name, place on your list and all that was said go along.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      return await engine.client.people.follow({ jid: parseBareJid(positionals[0] ?? '') }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'person decline',
    usage: 'JID',
    summary: 'Answers a request with no and forgets what came with it.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      return await engine.client.people.decline({ jid: parseBareJid(positionals[0] ?? '') }, { signal });
    },
    describe: () => 'declined',
  }),
  verifyPersonCommand,
  defineCommand({
    name: 'person devices',
    usage: '[JID]',
    summary:
      'Lists the devices of somebody you have compared that nobody vouched for; without JID the other programs at your own account.',
    positionals: { min: 0, max: 1 },
    shape: chosenDevicesShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const { account, people } = await engine.client.system.snapshot(undefined, { signal });
      const [address] = positionals;
      const jid = address === undefined ? account?.jid : parseBareJid(address);
      if (jid === account?.jid) return { devices: account?.programs ?? [] };
      return { devices: people.find((person) => person.jid === jid)?.devices ?? [] };
    },
    describe: ({ devices }) =>
      table(
        devices.map(({ deviceId, choice }) => [String(deviceId), choice]),
        'none',
      ),
  }),
  defineCommand({
    name: 'person device',
    usage: 'JID DEVICE in|out',
    summary:
      'Says whether a device that nobody vouched for, or another program at your own account, reads what you write.',
    positionals: { min: 3, max: 3 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      const [address = '', device = '', word = ''] = positionals;
      if (word !== 'in' && word !== 'out') throw usageFailure('the last word is in or out');
      const deviceId = wholeNumber('DEVICE', device, 1);
      using engine = await connect();
      const choice = word === 'in' ? 'let-in' : 'left-out';
      const input = { jid: parseBareJid(address), deviceId, choice } as const;
      return await engine.client.people.chooseDevice(input, { signal });
    },
    describe: () => 'done',
  }),
];
