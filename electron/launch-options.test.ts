import { expect, test } from 'vitest';
import { lineForProfile, readLaunchOptions } from './launch-options.ts';

test('the profile is found between the switches of Chromium, relative to where the person stands', () => {
  const line = ['--no-sandbox', '/app', '--profile', 'anna', '--remote-debugging-port=0'];
  expect(readLaunchOptions(line, '/home/anna').profile).toBe('/home/anna/anna');
  expect(readLaunchOptions(['--profile=/p/q'], '/').profile).toBe('/p/q');
  expect(readLaunchOptions(['/app'], '/').profile).toBeUndefined();
  expect(readLaunchOptions(['--profile'], '/').profile).toBeUndefined();
});

test('an address that the system hands over does nothing', () => {
  const hostile = ['xmpp:x@y?join', 'javascript:alert(1)', 'file:///etc/passwd', 'smb://x/y', 'xmpp:--profile=/x'];
  for (const link of hostile) expect(readLaunchOptions(['/app', link], '/')).toEqual({ profile: undefined });
});

test('the program is started for another profile by the same line, with that one alone', () => {
  const line = lineForProfile(['--no-sandbox', '/app', '--profile', 'anna', '--profile=ben'], '/p/clara');
  expect(line).toEqual(['--no-sandbox', '/app', '--profile', '/p/clara']);
  expect(readLaunchOptions(line, '/').profile).toBe('/p/clara');
});
