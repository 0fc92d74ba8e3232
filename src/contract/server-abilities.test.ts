import { expect, test } from 'vitest';
import { ABILITY_NAMES, linesToAdd, SERVER_ABILITIES } from './server-abilities.ts';

test('for every ability there are lines for Prosody and for ejabberd, except where only a newer version helps', () => {
  const bare = ABILITY_NAMES.filter((name) => {
    const { prosody, ejabberd } = linesToAdd(name, 'a.test');
    return prosody === null || ejabberd === null;
  });
  expect(bare).toEqual(['channel-binding']);
  expect(SERVER_ABILITIES['channel-binding'].need).toBe('nice');
});

test('every line for ejabberd is a listener, a module, an option of the whole, or a record, and says where it goes', () => {
  const lines = ABILITY_NAMES.flatMap((name) => linesToAdd(name, 'a.test').ejabberd?.split('\n') ?? []);
  const known = [/^- \{ .* \} # under listen$/, /^mod_\w+: \{.*\}( # under modules)?$/, /^auth_\w+: \w+$/];
  const record = /^(# DNS: )?_xmpps?-client\._tcp\.a\.test\. IN SRV /;
  expect(lines.filter((line) => ![...known, record].some((pattern) => pattern.test(line)))).toEqual([]);
});
