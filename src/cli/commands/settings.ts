import type { SettingsView } from '../../contract/settings.ts';
import { settingsChangeSchema } from '../../contract/settings.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { settingsShape } from '../shapes.ts';
import { table } from '../words.ts';

export const settingsCommands = [
  defineCommand({
    name: 'settings get',
    usage: '[NAME]',
    summary: 'Shows all settings, or those whose name begins so, as in quiet.schedule.',
    positionals: { min: 0, max: 1 },
    shape: settingsShape,
    async run({ connect, signal, positionals: [prefix = ''] }) {
      using engine = await connect();
      return { settings: choose(await engine.client.settings.get(undefined, { signal }), prefix) };
    },
    describe,
  }),
  defineCommand({
    name: 'settings set',
    usage: 'NAME VALUE',
    summary: 'Changes a setting: a number, true, false, or a list as in [1,2,3]. Those of the network need a restart.',
    positionals: { min: 2, max: 2 },
    shape: settingsShape,
    async run({ connect, signal, positionals: [name = '', text = ''] }) {
      const change = settingsChangeSchema.safeParse(nested(name, readValue(text)));
      using engine = await connect();
      const known = flatten(await engine.client.settings.get(undefined, { signal }));
      if (!known.has(name) || FACTS.test(name)) throw usageFailure(`there is no setting ${JSON.stringify(name)}`);
      if (!change.success) throw usageFailure(`${name} cannot be ${JSON.stringify(text)}`);
      return { settings: choose(await engine.client.settings.set(change.data, { signal }), name) };
    },
    describe,
  }),
];

/** What is told beside the settings and cannot be set. */
const FACTS = /^(?:inForce\.|restartNeeded$)/;

function describe({ settings }: { readonly settings: Readonly<Record<string, unknown>> }): string {
  return table(
    Object.entries(settings).map(([name, value]) => [name, JSON.stringify(value)]),
    'there is no such setting',
  );
}

function choose(settings: SettingsView, prefix: string): Record<string, unknown> {
  const wanted = [...flatten(settings)].filter(
    ([name]) => prefix === '' || name === prefix || name.startsWith(`${prefix}.`),
  );
  return Object.fromEntries(wanted);
}

/** Nested records by dotted names; a list is one value. */
function flatten(value: object, before = ''): Map<string, unknown> {
  const entries = Object.entries(value).flatMap(([name, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? [...flatten(inner, `${before}${name}.`)]
      : [[`${before}${name}`, inner]],
  );
  return new Map(entries);
}

function nested(name: string, value: unknown): unknown {
  return name.split('.').reduceRight((inner, part) => ({ [part]: inner }), value);
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A word is a value too; whether it fits is checked with all others.
    return text;
  }
}
