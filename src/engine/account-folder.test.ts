import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseBareJid } from '../base/id.ts';
import { accountFolder, accountFolderName, accountOfFolder } from './account-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'accounts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('no address gives a folder name that some system refuses or changes', () => {
  const part = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/[\s"&'/:<>@]/u.test(text));
  fc.assert(
    fc.property(part, part, (local, domain) => {
      if (!`${local}${domain}`.isWellFormed()) return;
      const jid = parseBareJid(`${local}@${domain}`);
      const name = accountFolderName(jid);
      expect(name).toMatch(/^[A-Za-z0-9%._-]*[A-Za-z0-9%_-]$/);
      expect(accountOfFolder(name)).toBe(jid);
    }),
  );
});

test('an ordinary address keeps the folder it has always had', () => {
  expect(accountFolderName(parseBareJid('ana.b@home.example'))).toBe('ana.b%40home.example');
});

test('a folder that an earlier version named in its own way is found again', () => {
  const jid = parseBareJid('ana*(home)@home.example');
  const before = path.join(folder, encodeURIComponent(jid));
  mkdirSync(before);
  writeFileSync(path.join(before, 'spherecast.db'), 'everything');
  const now = accountFolder(folder, jid);
  expect(readFileSync(path.join(now, 'spherecast.db'), 'utf8')).toBe('everything');
  expect(readdirSync(folder)).toEqual(['ana%2A%28home%29%40home.example']);
  expect(accountFolder(folder, jid)).toBe(now);
});

test('what is no account is none', () => {
  expect(accountOfFolder('signed-in.json')).toBeUndefined();
  expect(accountOfFolder('%')).toBeUndefined();
});
