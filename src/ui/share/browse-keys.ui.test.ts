import { beforeEach, expect, test } from 'vitest';
import { computed, reactive, ref } from 'vue';
import { onBrowseKey } from './browse-keys.ts';
import type { Browse, BrowseEntry } from './use-browse.ts';

const entry = (name: string, kind: 'folder' | 'file'): BrowseEntry => ({ name, kind, path: `/h/${name}`, bytes: 1 });
const entries = [entry('Films', 'folder'), entry('a.mp4', 'file'), entry('b.mp4', 'file')];
const opened: (string | undefined)[] = [];
let browse: Browse;

beforeEach(() => {
  opened.length = 0;
  browse = {
    home: ref('/h'),
    path: ref('/h/x'),
    parent: ref<string | null>('/h'),
    shown: computed(() => entries),
    failure: ref(null),
    loading: ref(false),
    filter: ref(''),
    cursor: ref(0),
    chosen: reactive(new Map<string, BrowseEntry>()),
    go: (to) => {
      opened.push(to);
      return Promise.resolve();
    },
  };
});

const press = (key: string, ctrlKey = false): boolean =>
  onBrowseKey(browse, { key, ctrlKey, altKey: false, metaKey: false });

test('the arrows move within the list and stop at its ends', () => {
  press('ArrowDown');
  press('ArrowDown');
  press('ArrowDown');
  expect(browse.cursor.value).toBe(2);
  press('Home');
  press('ArrowUp');
  expect(browse.cursor.value).toBe(0);
});

test('Enter opens a folder and chooses a file, Space chooses both', () => {
  press('Enter');
  expect(opened).toEqual(['/h/Films']);
  press(' ');
  expect(Array.from(browse.chosen.keys())).toEqual(['/h/Films']);
  press('ArrowDown');
  press('Enter');
  expect(browse.chosen.has('/h/a.mp4')).toBe(true);
  press('Enter');
  expect(browse.chosen.has('/h/a.mp4')).toBe(false);
});

test('Backspace goes to the folder above', () => {
  press('Backspace');
  expect(opened).toEqual(['/h']);
});

test('Control and A choose all files, and none the second time', () => {
  press('a', true);
  expect(Array.from(browse.chosen.keys())).toEqual(['/h/a.mp4', '/h/b.mp4']);
  press('a', true);
  expect(browse.chosen.size).toBe(0);
});

test('other keys are left to the browser', () => {
  expect(press('Tab')).toBe(false);
  expect(press('x')).toBe(false);
});
