import { flushPromises, mount } from '@vue/test-utils';
import { createPinia } from 'pinia';
import { expect, test } from 'vitest';
import { defineComponent, ref } from 'vue';
import { fakeFile, fakeItem, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import type { ItemView } from '../../contract/views.ts';
import type { EngineLine } from '../stores/engine.ts';
import { engineLineKey } from '../stores/engine.ts';
import { useItemFiles } from './use-item-files.ts';

const COUNT = 4000;
const all = Array.from({ length: COUNT }, (_, index) => ({ ...fakeFile(`${index}.jpg`, 'image'), index }));

function folder(more: Partial<ItemView> = {}): ItemView {
  const files = all.slice(0, 500);
  return fakeItem(fakeSphere('Summer'), 'Photos', 'folder', { files, fileCount: COUNT, filesHere: 0, ...more });
}

function mounted(
  files: (asked: { from: number; most: number }) => Promise<{ files: ItemView['files'] }>,
  first?: ItemView,
) {
  const line: EngineLine = { call: (ask) => ask({ items: { files } } as never), retryNow: () => undefined };
  const item = ref(first);
  let shown!: ReturnType<typeof useItemFiles>;
  const page = defineComponent({
    setup() {
      shown = useItemFiles(() => item.value);
      return () => null;
    },
  });
  mount(page, { global: { plugins: [createPinia()], provide: { [engineLineKey as symbol]: line } } });
  return { item, shown };
}

const pages = ({ from, most }: { from: number; most: number }) =>
  Promise.resolve({ files: all.slice(from, from + most) });

test('a page that is opened at a far file asks for it once the item is known', async () => {
  const { item, shown } = mounted(pages);
  shown.need(1600);
  await flushPromises();
  item.value = folder();
  await flushPromises();
  expect(shown.item.value?.files).toHaveLength(2500);
});

test('further files of a long folder are asked for as they are looked at, and again when others are here', async () => {
  const asked: number[] = [];
  const { item, shown } = mounted((page) => {
    asked.push(page.from);
    return pages(page);
  }, folder());
  expect(shown.item.value?.files).toHaveLength(500);
  shown.need(400);
  await flushPromises();
  expect(asked).toEqual([]);
  shown.need(1600);
  await flushPromises();
  expect(asked).toEqual([500, 1500]);
  expect(shown.item.value?.files.map(({ index }) => index)).toEqual(all.slice(0, 2500).map(({ index }) => index));
  shown.need(3000);
  await flushPromises();
  expect(asked).toEqual([500, 1500, 2500]);
  item.value = folder({ filesHere: 7 });
  await flushPromises();
  expect(asked.slice(3)).toEqual([500, 1500, 2500]);
  expect(shown.item.value?.files).toHaveLength(3500);
});
