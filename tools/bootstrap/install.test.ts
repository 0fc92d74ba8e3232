import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { absentPackages, isInstalled, lockHash, npmCommand } from './install.mjs';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-install-'));
  writeFileSync(path.join(folder, 'package-lock.json'), '{"lockfileVersion":3}');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function noteInstalled(): void {
  mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  writeFileSync(path.join(folder, 'node_modules', '.spherecast-lock'), `${lockHash(folder)}\n`);
}

describe('installing', () => {
  test('a checkout without node_modules is not installed', () => {
    expect(isInstalled(folder)).toBe(false);
  });

  test('a checkout whose note holds the hash of its lock file is installed', () => {
    noteInstalled();
    expect(isInstalled(folder)).toBe(true);
  });

  test('a changed lock file asks for a new installation', () => {
    noteInstalled();
    writeFileSync(path.join(folder, 'package-lock.json'), '{"lockfileVersion":3,"packages":{}}');
    expect(isInstalled(folder)).toBe(false);
  });

  test('the npm that started us is started again without a shell', () => {
    expect(npmCommand({ npm_execpath: '/opt/npm/bin/npm-cli.js' })).toEqual({
      command: process.execPath,
      args: ['/opt/npm/bin/npm-cli.js'],
      shell: false,
    });
    expect(npmCommand({ npm_execpath: '/opt/yarn/bin/yarn.js' }).command).toBe('npm');
    expect(npmCommand({}).command).toBe('npm');
  });

  test('a direct dependency left out is named, an optional one is not', () => {
    const manifest = { dependencies: { there: '1.0.0', gone: '1.0.0' }, optionalDependencies: { foreign: '1.0.0' } };
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
    mkdirSync(path.join(folder, 'node_modules', 'there'), { recursive: true });
    writeFileSync(path.join(folder, 'node_modules', 'there', 'package.json'), '{}');
    expect(absentPackages(folder)).toEqual(['gone']);
  });
});
