import path from 'node:path';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { resolveInvitation, resolveSphere } from '../resolve.ts';
import {
  invitationsShape,
  invitedShape,
  membersShape,
  movedFolderShape,
  okShape,
  sphereAnswerShape,
  spheresShape,
} from '../shapes.ts';
import { plain, table } from '../words.ts';

const TROUBLES: Readonly<Record<string, string>> = {
  'nobody-there': 'invited, but there seems to be nobody at this address: check how it is written',
  'server-silent': 'invited, but their server does not answer: check the part after the @',
};

const ROLES = ['admin', 'member', 'viewer'] as const;

function roleOf(text: string): (typeof ROLES)[number] {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw usageFailure(`there is no role ${text}: say ${ROLES.join(', ')}`);
  return role;
}

function ownerStep(kind: string, jid: string | undefined) {
  if (kind === 'accept' || kind === 'object') return { kind } as const;
  if (kind === 'keep') return { kind: 'offer', jid: null } as const;
  if ((kind === 'offer' || kind === 'propose') && jid !== undefined) return { kind, jid } as const;
  throw usageFailure('say offer JID, keep, accept, propose JID or object');
}

const one = { min: 1, max: 1 };
const two = { min: 2, max: 2 };

const lists = [
  defineCommand({
    name: 'sphere list',
    summary: 'Lists the spheres of this account.',
    shape: spheresShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.spheres.list(undefined, { signal });
    },
    describe: ({ spheres }) =>
      table(
        spheres.map(({ id, name, state, folder }) => [plain(name), state, plain(folder), id]),
        'no spheres yet',
      ),
  }),
  defineCommand({
    name: 'sphere members',
    usage: 'S',
    summary: 'Lists the members of a sphere.',
    positionals: one,
    shape: membersShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.members({ sphereId: sphere.id }, { signal });
    },
    describe: ({ members }) =>
      table(
        members.map(({ jid, role, state, devices }) => [jid, role, state, `${devices} devices`]),
        'nobody',
      ),
  }),
  defineCommand({
    name: 'sphere invitations',
    summary: 'Lists invitations that wait for an answer.',
    shape: invitationsShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.spheres.invitations(undefined, { signal });
    },
    describe: ({ invitations }) =>
      table(
        invitations.map(({ id, sphere, from }) => [plain(sphere), from, id]),
        'no invitations',
      ),
  }),
];

const entries = [
  defineCommand({
    name: 'sphere create',
    usage: 'NAME',
    summary: 'Makes a sphere: a folder here and a private room on the server.',
    options: { 'without-past': { help: 'whoever joins later gets only what is said and shared after that' } },
    positionals: one,
    shape: sphereAnswerShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const history = flags.has('without-past') ? 'from-join' : 'all';
      return await engine.client.spheres.create({ name: positionals[0] ?? '', history }, { signal });
    },
    describe: ({ sphere }) => `${plain(sphere.name)} is at ${plain(sphere.folder)}`,
  }),
  defineCommand({
    name: 'sphere join',
    usage: 'INVITATION',
    summary: 'Accepts an invitation.',
    positionals: one,
    shape: sphereAnswerShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const invitation = await resolveInvitation(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.join({ invitationId: invitation.id }, { signal });
    },
    describe: ({ sphere }) => `joined ${plain(sphere.name)}`,
  }),
  defineCommand({
    name: 'sphere decline',
    usage: 'INVITATION',
    summary: 'Declines an invitation.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const invitation = await resolveInvitation(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.decline({ invitationId: invitation.id }, { signal });
    },
    describe: () => 'declined',
  }),
];

const changes = [
  defineCommand({
    name: 'sphere invite',
    usage: 'S JID [ROLE]',
    summary: 'Invites a person by XMPP address, as admin, member (when nothing is said) or viewer.',
    positionals: { min: 2, max: 3 },
    shape: invitedShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const input = { sphereId: sphere.id, jid: positionals[1] ?? '', role: roleOf(positionals[2] ?? 'member') };
      return await engine.client.spheres.invite(input, { signal });
    },
    describe: ({ trouble }) => (trouble === null ? 'invited' : (TROUBLES[trouble] ?? `invited, but: ${trouble}`)),
  }),
  defineCommand({
    name: 'sphere remove',
    usage: 'S JID',
    summary: 'Removes a member: they get nothing new from now on.',
    positionals: two,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.remove({ sphereId: sphere.id, jid: positionals[1] ?? '' }, { signal });
    },
    describe: () => 'removed',
  }),
  defineCommand({
    name: 'sphere role',
    usage: 'S JID ROLE',
    summary: 'Gives a member other rights: admin, member or viewer.',
    positionals: { min: 3, max: 3 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      const role = roleOf(positionals[2] ?? '');
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const input = { sphereId: sphere.id, jid: positionals[1] ?? '', role };
      return await engine.client.spheres.setRole(input, { signal });
    },
    describe: () => 'changed',
  }),
  defineCommand({
    name: 'sphere owner',
    usage: 'S offer JID | keep | accept | propose JID | object',
    summary:
      'Offers a sphere to a member or keeps it; accepts what is offered; proposes who follows an owner who is gone; objects to that as the owner.',
    positionals: { min: 2, max: 3 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      const step = ownerStep(positionals[1] ?? '', positionals[2]);
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.changeOwner({ sphereId: sphere.id, step }, { signal });
    },
    describe: () => 'said to all members',
  }),
  defineCommand({
    name: 'sphere continue',
    usage: 'S',
    summary: 'Goes on in a new sphere of yours with everything, where an owner who is gone leaves nobody who decides.',
    positionals: one,
    shape: sphereAnswerShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.continue({ sphereId: sphere.id }, { signal });
    },
    describe: ({ sphere }) => `goes on as ${sphere.id}`,
  }),
  defineCommand({
    name: 'sphere rename',
    usage: 'S NAME',
    summary: 'Gives a sphere another name, for all members. The folder keeps its name.',
    positionals: two,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.rename({ sphereId: sphere.id, name: positionals[1] ?? '' }, { signal });
    },
    describe: () => 'renamed',
  }),
  defineCommand({
    name: 'sphere picture',
    usage: 'S [FILE]',
    summary: 'Gives a sphere a picture, made small and square, for all members; without FILE it has none any more.',
    positionals: { min: 1, max: 2 },
    shape: okShape,
    async run({ connect, signal, positionals, io }) {
      using engine = await connect();
      const [name = '', file] = positionals;
      const sphere = await resolveSphere(engine.client, name, signal);
      const picture = file === undefined ? null : { path: path.resolve(io.cwd, file) };
      return await engine.client.spheres.setPicture({ sphereId: sphere.id, picture }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'sphere move',
    usage: 'S',
    summary: 'Moves a sphere to a new room, where its server is to close or works badly: all members come along.',
    options: { service: { value: 'SERVER', help: 'the server, or its room service; your own when nothing is said' } },
    positionals: one,
    shape: sphereAnswerShape,
    async run({ connect, signal, positionals, values }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const server = values.get('service') ?? null;
      return await engine.client.spheres.move({ sphereId: sphere.id, server }, { signal });
    },
    describe: ({ sphere }) => `moved to ${plain(sphere.room)}`,
  }),
  defineCommand({
    name: 'sphere folder',
    usage: 'S DIR',
    summary: 'Moves the folder of a sphere into another folder, on this disk or another, with everything in it.',
    positionals: two,
    shape: movedFolderShape,
    async run({ connect, signal, positionals, io }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const into = path.resolve(io.cwd, positionals[1] ?? '');
      return await engine.client.spheres.moveFolder({ sphereId: sphere.id, into }, { signal });
    },
    describe: ({ sphere, stayed }) =>
      `${plain(sphere.name)} is at ${plain(sphere.folder)}${stayed === 0 ? '' : `; ${stayed} files changed meanwhile and stayed`}`,
  }),
  defineCommand({
    name: 'sphere leave',
    usage: 'S',
    summary: 'Leaves a sphere; its files stay on this disk.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.leave({ sphereId: sphere.id }, { signal });
    },
    describe: () => 'left',
  }),
  defineCommand({
    name: 'sphere forget',
    usage: 'S',
    summary: 'Takes a sphere that has ended for you off the list; its files stay, and a new invitation brings it back.',
    positionals: one,
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.forget({ sphereId: sphere.id }, { signal });
    },
    describe: () => 'off the list',
  }),
];

export const sphereCommands = [...lists, ...entries, ...changes];
