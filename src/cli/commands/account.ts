import path from 'node:path';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { accountAnswerShape, devicesShape, exportedShape, kitShape, okShape } from '../shapes.ts';
import { plain } from '../words.ts';

export const accountCommands = [
  defineCommand({
    name: 'account add',
    usage: 'JID',
    summary: 'Signs in. The password is the first line of standard input; with --kit the others are the recovery kit.',
    options: {
      'password-stdin': { required: true, help: 'read the password from standard input; arguments are public' },
      register: { help: 'create the account on the server first' },
      invitation: { value: 'LINK', help: 'with --register: the xmpp: link by which the server lets you' },
      server: { value: 'HOST:PORT', help: 'connect there instead of asking the domain’s records' },
      ca: { value: 'FILE', help: 'also trust this certificate authority (PEM)' },
      replace: { help: 'with --kit: all computers that the person had before are gone' },
      kit: { help: 'become a device of the person whose recovery kit stands below the password' },
    },
    positionals: { min: 1, max: 1 },
    shape: accountAnswerShape,
    async run({ connect, signal, positionals, flags, values, io }) {
      const [password = '', ...lines] = (await io.readStdin()).split(/\r?\n/);
      if (password === '') throw usageFailure('there was no password on standard input');
      using engine = await connect();
      return await engine.client.account.signIn(
        {
          jid: positionals[0] ?? '',
          password,
          register: flags.has('register'),
          ...placeOf(values, io.cwd),
          ...(flags.has('kit') ? { kit: lines.join('\n'), endsOthers: flags.has('replace') } : {}),
        },
        { signal },
      );
    },
    describe: ({ account }) => (account === null ? 'no account' : `signed in as ${account.jid} (${account.state})`),
  }),
  defineCommand({
    name: 'account move',
    usage: 'JID',
    summary:
      'Goes on with another account: spheres and people go along. Its password is the first line of standard input.',
    options: {
      'password-stdin': { required: true, help: 'read the password of the new account from standard input' },
      register: { help: 'create the new account on its server first' },
      invitation: { value: 'LINK', help: 'with --register: the xmpp: link by which the server lets you' },
      server: { value: 'HOST:PORT', help: 'connect there instead of asking the domain’s records' },
      ca: { value: 'FILE', help: 'also trust this certificate authority (PEM)' },
      lost: { help: 'the account until now cannot be reached any more' },
    },
    positionals: { min: 1, max: 1 },
    shape: accountAnswerShape,
    async run({ connect, signal, positionals, flags, values, io }) {
      const [password = ''] = (await io.readStdin()).split(/\r?\n/);
      if (password === '') throw usageFailure('there was no password on standard input');
      using engine = await connect();
      const login = {
        jid: positionals[0] ?? '',
        password,
        register: flags.has('register'),
        ...placeOf(values, io.cwd),
      };
      return await engine.client.account.move({ ...login, isLost: flags.has('lost') }, { signal });
    },
    describe: ({ account }) =>
      account === null ? 'no account' : `moved to ${account.jid}: make a new recovery kit (account kit)`,
  }),
  defineCommand({
    name: 'account stay',
    summary: 'Takes a move back that did not come to its end: in all spheres you go by this account again.',
    shape: okShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.account.stay(undefined, { signal });
    },
    describe: () => 'you are still here',
  }),
  defineCommand({
    name: 'account export',
    usage: 'FOLDER',
    summary: 'Writes everything of this account below a folder as JSON: people, conversations, items, logs. No keys.',
    options: { 'with-files': { help: 'copies of all files that are whole here, too' } },
    positionals: { min: 1, max: 1 },
    shape: exportedShape,
    async run({ connect, signal, positionals, flags, io }) {
      using engine = await connect();
      const folder = path.resolve(io.cwd, positionals[0] ?? '');
      return await engine.client.account.export({ folder, withFiles: flags.has('with-files') }, { signal });
    },
    describe: ({ path: folder, messages, files }) => `${messages} messages and ${files} files are in ${plain(folder)}`,
  }),
  defineCommand({
    name: 'account kit',
    summary: 'Prints the recovery kit, to be kept on paper. The password is the first line of standard input.',
    options: { 'password-stdin': { required: true, help: 'read the password from standard input' } },
    shape: kitShape,
    async run({ connect, signal, io }) {
      const [password = ''] = (await io.readStdin()).split(/\r?\n/);
      if (password === '') throw usageFailure('there was no password on standard input');
      using engine = await connect();
      return await engine.client.account.kit({ password }, { signal });
    },
    describe: ({ lines }) => lines.join('\n'),
  }),
  defineCommand({
    name: 'account name',
    usage: '[NAME]',
    summary: 'What the people on your list see as your name; without NAME the first part of your address.',
    positionals: { min: 0, max: 1 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      return await engine.client.account.setProfile({ name: positionals[0] ?? '' }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'account picture',
    usage: '[FILE]',
    summary: 'What the people on your list see as your picture, made small and square; without FILE none.',
    positionals: { min: 0, max: 1 },
    shape: okShape,
    async run({ connect, signal, positionals, io }) {
      using engine = await connect();
      const [file] = positionals;
      const picture = file === undefined ? null : { path: path.resolve(io.cwd, file) };
      return await engine.client.account.setProfile({ picture }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'account devices',
    summary: 'Lists the computers of this person.',
    shape: devicesShape,
    async run({ connect, signal }) {
      using engine = await connect();
      const { account } = await engine.client.system.snapshot(undefined, { signal });
      return { devices: account?.devices ?? [] };
    },
    describe: ({ devices }) =>
      devices.map(({ device, name, state }) => `${device}  ${state}  ${plain(name)}`).join('\n'),
  }),
  defineCommand({
    name: 'account remove-device',
    usage: 'DEVICE',
    summary: 'Ends a computer of this person: nothing that follows is for it any more.',
    options: { 'at-once': { help: 'also when not all that it said is here: that is lost for everybody' } },
    positionals: { min: 1, max: 1 },
    shape: okShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const input = { device: positionals[0] ?? '', isAtOnce: flags.has('at-once') };
      return await engine.client.account.removeDevice(input, { signal });
    },
    describe: () => 'the computer is removed',
  }),
  defineCommand({
    name: 'account remove',
    summary: 'Signs out. Spheres stay readable on this machine.',
    shape: accountAnswerShape,
    async run({ connect, signal }) {
      using engine = await connect();
      await engine.client.account.signOut(undefined, { signal });
      return { account: null };
    },
    describe: () => 'signed out',
  }),
  defineCommand({
    name: 'account password',
    summary: 'Changes the password. The first line of standard input is the one of now, the second the new one.',
    options: { 'password-stdin': { required: true, help: 'read both passwords from standard input' } },
    shape: okShape,
    async run({ connect, signal, io }) {
      const [current = '', password = ''] = (await io.readStdin()).split(/\r?\n/);
      if (password === '') throw usageFailure('there were no two passwords on standard input');
      using engine = await connect();
      return await engine.client.account.changePassword({ current, password }, { signal });
    },
    describe: () => 'the password is changed',
  }),
  defineCommand({
    name: 'account delete',
    summary: 'Deletes the account from its server for good. The password is the first line of standard input.',
    options: { 'password-stdin': { required: true, help: 'read the password from standard input' } },
    shape: okShape,
    async run({ connect, signal, io }) {
      const [password = ''] = (await io.readStdin()).split(/\r?\n/);
      if (password === '') throw usageFailure('there was no password on standard input');
      using engine = await connect();
      return await engine.client.account.delete({ password }, { signal });
    },
    describe: () => 'the account is deleted',
  }),
];

/** Where an account is, and by whose leave. */
function placeOf(values: ReadonlyMap<string, string>, cwd: string) {
  const server = values.get('server');
  const invitation = values.get('invitation');
  const authority = values.get('ca');
  return {
    ...(invitation === undefined ? {} : { invitation }),
    ...(server === undefined ? {} : { server }),
    ...(authority === undefined ? {} : { caFile: path.resolve(cwd, authority) }),
  };
}
