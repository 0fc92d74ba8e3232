// XEP-0313: Message Archive Management, version 1.1.0
// XEP-0059: Result Set Management, version 1.0
import { AppError, errorCode } from '../../base/errors.ts';
import { attr, child, childText, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { submitForm } from './0004-data-forms.ts';
import { readForwarded } from './0297-forwarding.ts';

export const NS_MAM = 'urn:xmpp:mam:2';
const NS_RSM = 'http://jabber.org/protocol/rsm';
const PAGE_SIZE = 50;
/** An archive may send more than it was asked for; this much is held in memory, the rest is asked for again. */
const MAX_PAGE = 500;

export interface ArchiveEntry {
  /** The id in the archive, which is the stanza id of the live message. */
  readonly id: string;
  readonly message: Element;
  readonly delayMs: number | undefined;
}

export interface ArchiveQuery {
  /** The archive's bare address; undefined asks our own account's. */
  readonly archive?: string;
  /** Only what came after the entry with this id. */
  readonly after?: string | undefined;
  /** Only the newest page (XEP-0059 §2.5). */
  readonly newest?: boolean;
  readonly with?: string;
  readonly pageSize?: number;
  /** Hears of each part of the answer, its end as well, at the moment it comes. */
  readonly onPart?: (() => void) | undefined;
}

export interface ArchivePage {
  readonly isComplete: boolean;
  readonly last: string | undefined;
}

export function archiveQuery(queryId: string, query: ArchiveQuery): Element {
  const form = query.with === undefined ? undefined : submitForm(NS_MAM, { with: query.with });
  const after = query.after === undefined ? undefined : xml('after', {}, query.after);
  const before = query.newest === true ? xml('before') : undefined;
  const max = xml('max', {}, String(query.pageSize ?? PAGE_SIZE));
  const set = xml('set', { xmlns: NS_RSM }, max, after, before);
  return xml('query', { xmlns: NS_MAM, queryid: queryId }, form, set);
}

/** One archived message. The outer stanza's author and query id are the client's to check. */
export function readArchiveEntry(stanza: Element): ArchiveEntry | undefined {
  const result = child(stanza, 'result', NS_MAM);
  const id = attr(result, 'id');
  const forwarded = readForwarded(result);
  return id === undefined || id === '' || forwarded === undefined ? undefined : { id, ...forwarded };
}

export function readArchivePage(answer: Element): ArchivePage {
  const fin = child(answer, 'fin', NS_MAM);
  if (fin === undefined) throw new AppError('bad-input', 'the archive ends its answer without a word');
  // XML Schema, part 2, §3.2.2: a boolean has two spellings of each value.
  return {
    isComplete: ['true', '1'].includes(attr(fin, 'complete') ?? ''),
    last: childText(child(fin, 'set', NS_RSM), 'last'),
  };
}

/** All entries, oldest first. While one page is read the next one is on its way. */
export async function* queryArchive(
  client: XmppPort,
  query: ArchiveQuery,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  let page = fetchPage(client, query, signal);
  for (;;) {
    const { entries, next } = await page;
    if (next !== undefined) {
      page = fetchPage(client, { ...query, after: next }, signal);
      // Whoever has read enough does not wait for it.
      page.catch(() => undefined);
    }
    yield* entries;
    if (next === undefined) return;
  }
}

interface FetchedPage {
  readonly entries: readonly ArchiveEntry[];
  /** The entry that the next page comes after; undefined at the end. */
  readonly next: string | undefined;
}

async function fetchPage(client: XmppPort, query: ArchiveQuery, signal: AbortSignal): Promise<FetchedPage> {
  const queryId = client.newId();
  const entries: ArchiveEntry[] = [];
  let isCut = false;
  const collect = (stanza: Element): void => {
    const entry = readArchiveEntry(stanza);
    query.onPart?.();
    if (entry === undefined) return;
    if (entries.length < MAX_PAGE) entries.push(entry);
    else isCut = true;
  };
  using _open = client.openArchiveQuery(query.archive ?? client.jid, queryId, collect);
  const page = readArchivePage(
    await client.iq('set', query.archive, archiveQuery(queryId, query), signal, query.onPart),
  );
  const last = isCut ? entries.at(-1)?.id : (page.last ?? entries.at(-1)?.id);
  // A page that leads nowhere would be asked for without end.
  const isEnd = (page.isComplete && !isCut) || last === query.after;
  return { entries, next: isEnd ? undefined : last };
}

/**
 * The same, but from the beginning when the archive has deleted the entry that `after` names (XEP-0059 §2.2): the
 * reader recognises what it has.
 */
export async function* resumeArchive(
  client: XmppPort,
  query: ArchiveQuery,
  signal: AbortSignal,
): AsyncGenerator<ArchiveEntry, void, undefined> {
  let hasBegun = false;
  try {
    for await (const entry of queryArchive(client, query, signal)) {
      hasBegun = true;
      yield entry;
    }
  } catch (error) {
    if (errorCode(error) !== 'not-found' || query.after === undefined || hasBegun) throw error;
    yield* queryArchive(client, { ...query, after: undefined }, signal);
  }
}

/** The id of the newest entry of our own account's archive; undefined when it is empty. */
export async function newestArchiveId(client: XmppPort, signal: AbortSignal): Promise<string | undefined> {
  const queryId = client.newId();
  using _open = client.openArchiveQuery(client.jid, queryId, () => undefined);
  const query = archiveQuery(queryId, { newest: true, pageSize: 1 });
  return readArchivePage(await client.iq('set', undefined, query, signal)).last;
}
