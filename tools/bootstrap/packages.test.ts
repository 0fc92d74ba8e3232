import { describe, expect, test } from 'vitest';
import { aptScript } from './apt.mjs';
import { installDecision, missingPackages, missingText, SYSTEM_PACKAGES } from './packages.mjs';

const host = { platform: 'linux', hasApt: true, isRoot: false, isCi: false, hasSudo: true, isTerminal: true };

describe('system packages', () => {
  test('root and CI install silently, a person at a terminal is asked, anyone else is told', () => {
    expect(installDecision({ ...host, isRoot: true, hasSudo: false, isTerminal: false })).toBe('install');
    expect(installDecision({ ...host, isCi: true, isTerminal: false })).toBe('install');
    expect(installDecision(host)).toBe('ask');
    expect(installDecision({ ...host, isTerminal: false })).toBe('tell');
    expect(installDecision({ ...host, hasSudo: false, isCi: true })).toBe('tell');
    expect(installDecision({ ...host, hasApt: false, isRoot: true })).toBe('tell');
    expect(installDecision({ ...host, platform: 'darwin', isRoot: true })).toBe('tell');
  });

  test('only what the purpose needs is looked for', async () => {
    const names = (await missingPackages('bench', () => Promise.resolve(false))).map((each) => each.name);
    expect(names).toEqual(['python3-libtorrent', 'mktorrent', 'transmission-cli', 'aria2']);
    expect(await missingPackages('test', () => Promise.resolve(true))).toEqual([]);
  });

  test('what is missing is said with the command and the suites that suffer', () => {
    const missing = SYSTEM_PACKAGES.filter((each) => ['chromium', 'nftables'].includes(each.name));
    expect(missingText(missing, 'test')).toBe(
      'Not installed: chromium nftables\n' +
        '  Debian, Ubuntu: sudo apt-get install chromium nftables\n' +
        '  Elsewhere: the packages that bring chromium, nft\n' +
        '  Until then these suites are skipped: e2e, netlab',
    );
  });

  test('who starts the demo is told what the demo lacks, not which suites are skipped', async () => {
    const missing = (await missingPackages('demo', () => Promise.resolve(false))).filter(
      ({ name }) => name === 'ffmpeg',
    );
    expect(missingText(missing, 'demo')).toBe(
      'Not installed: ffmpeg\n' +
        '  Debian, Ubuntu: sudo apt-get install ffmpeg\n' +
        '  Elsewhere: the packages that bring ffmpeg\n' +
        '  Until then the demo and the smoke test may not run',
    );
    expect(missingText(missing, 'bench')).toContain('Until then benches beside these programs do not run');
  });

  test('the installation asks nothing and starts no service', () => {
    const script = aptScript(['prosody', 'ffmpeg'], ['prosody']);
    expect(script).toContain('DEBIAN_FRONTEND=noninteractive');
    expect(script).toContain('policy-rc.d');
    expect(script).toContain('install prosody ffmpeg');
  });

  test('a name that is no package name never reaches the shell', () => {
    expect(() => aptScript(['prosody; reboot'], [])).toThrow('not a package name');
  });
});
