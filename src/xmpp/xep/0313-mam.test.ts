import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { childText, child, type Element, xml } from '../element.ts';
import { NS_MAM, queryArchive } from './0313-mam.ts';

const never = new AbortController().signal;
const NS_RSM = 'http://jabber.org/protocol/rsm';

function result(id: number): Element {
  const message = xml('message', { xmlns: 'jabber:client' }, xml('body', {}, `line ${id}`));
  const forwarded = xml('forwarded', { xmlns: 'urn:xmpp:forward:0' }, message);
  return xml('message', {}, xml('result', { xmlns: NS_MAM, id }, forwarded));
}

/** An archive of so many lines that sends `perPage` of them whatever it is asked for. */
function archiveOf(lines: number, perPage: number): { readonly port: FakeXmppPort; readonly pages: () => number } {
  let pages = 0;
  const port = new FakeXmppPort((query) => {
    pages += 1;
    const from = Number(childText(child(query, 'set', NS_RSM), 'after') ?? '0');
    const to = Math.min(lines, from + perPage);
    for (let id = from + 1; id <= to; id += 1) port.onResult(result(id));
    const set = xml('set', { xmlns: NS_RSM }, xml('last', {}, String(to)));
    const complete = to === lines ? '1' : undefined;
    return xml('iq', {}, xml('fin', { xmlns: NS_MAM, complete }, set));
  });
  return { port, pages: () => pages };
}

async function linesOf(port: FakeXmppPort): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of queryArchive(port, {}, never)) ids.push(Number(id));
  return ids;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('an archive is read page by page to its end', async () => {
  const { port, pages } = archiveOf(120, 50);
  expect(await linesOf(port)).toEqual(upTo(120));
  expect(pages()).toBe(3);
});

test('an archive that sends everything at once is not held in memory, and nothing of it is lost', async () => {
  const { port, pages } = archiveOf(1200, 1_000_000);
  expect(await linesOf(port)).toEqual(upTo(1200));
  expect(pages()).toBe(3);
});

test('a page that leads to itself ends the reading', async () => {
  const set = xml('set', { xmlns: NS_RSM }, xml('last', {}, '7'));
  let asked = 0;
  const port = new FakeXmppPort(() => {
    asked += 1;
    return xml('iq', {}, xml('fin', { xmlns: NS_MAM }, set));
  });
  expect(await linesOf(port)).toEqual([]);
  expect(asked).toBe(2);
});
