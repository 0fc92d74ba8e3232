import { systemClock } from '../../base/system-clock.ts';
import { systemRandom } from '../../base/random.ts';
import type { KnownProfile } from '../../engine/profile-list.ts';
import { ProfileList } from '../../engine/profile-list.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { profileAnswerShape, profilesShape } from '../shapes.ts';
import { plain, table } from '../words.ts';

const one = { min: 1, max: 1 };
const MAX_NAME = 60;

/** Who uses Spherecast on this computer. */
export const known = (): ProfileList => new ProfileList({ clock: systemClock, random: systemRandom });

function row({ id, name, account, folder, isListed, isRunning }: KnownProfile) {
  return { id, name, account, folder, listed: isListed, running: isRunning };
}

function nameOf(text: string): string {
  const name = text.trim();
  if (name === '' || name.length > MAX_NAME) throw usageFailure(`a name has 1 to ${MAX_NAME} characters`);
  return name;
}

/** Needs no engine: each person has an engine of their own. */
export const profileCommands = [
  defineCommand({
    name: 'profiles list',
    summary: 'Lists the people who use Spherecast on this computer, each with the folder to name with --profile.',
    options: { all: { help: 'also those that were taken off the list' } },
    shape: profilesShape,
    run({ flags }) {
      const people = known().all();
      return Promise.resolve({ profiles: people.filter(({ isListed }) => isListed || flags.has('all')).map(row) });
    },
    describe: ({ profiles }) =>
      table(
        profiles.map(({ id, name, account, folder, running }) => [
          id,
          plain(name === '' ? (account ?? '(no name)') : name),
          running ? 'runs' : 'does not run',
          plain(folder),
        ]),
        'nobody is on the list',
      ),
  }),
  defineCommand({
    name: 'profiles add',
    usage: 'NAME',
    summary: 'Makes a place for another person on this computer, with a folder and an engine of their own.',
    positionals: one,
    shape: profileAnswerShape,
    run: async ({ positionals }) => ({ profile: row(await known().add(nameOf(positionals[0] ?? ''))) }),
    describe: ({ profile }) => `${plain(profile.name)} is at ${plain(profile.folder)}`,
  }),
  defineCommand({
    name: 'profiles rename',
    usage: 'WHO NAME',
    summary: 'Gives a person on this computer another name; WHO is an id, a name or an account.',
    positionals: { min: 2, max: 2 },
    shape: profileAnswerShape,
    async run({ positionals: [who = '', name = ''] }) {
      const list = known();
      const { id } = list.find(who);
      await list.rename(id, nameOf(name));
      return { profile: row(list.find(id)) };
    },
    describe: ({ profile }) => `the name is ${plain(profile.name)}`,
  }),
  defineCommand({
    name: 'profiles forget',
    usage: 'WHO',
    summary: 'Takes a person off the list of this computer, or puts them back; their data stays as it is.',
    options: { undo: { help: 'put them back' } },
    positionals: one,
    shape: profileAnswerShape,
    async run({ positionals: [who = ''], flags }) {
      const list = known();
      const { id } = list.find(who);
      await list.setListed(id, flags.has('undo'));
      return { profile: row(list.find(id)) };
    },
    describe: ({ profile }) =>
      profile.listed ? 'on the list' : `off the list; everything is still at ${plain(profile.folder)}`,
  }),
];
