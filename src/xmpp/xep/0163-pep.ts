// XEP-0163: Personal Eventing Protocol, version 1.2.2
import { AppError } from '../../base/errors.ts';
import type { Element } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';
import {
  configureNode,
  createNode,
  fetchItems,
  type NodeOptions,
  type Publication,
  publishItem,
  readNodeConfig,
} from './0060-pubsub.ts';

/** Who may read a node: `open` everybody, `presence` those who may see when we are online, `whitelist` our own devices. */
export type AccessModel = 'open' | 'presence' | 'whitelist';

const ACCESS = 'pubsub#access_model';
/**
 * Servers differ in what they answer when a node is not as asked, or when they do not know an option:
 * conflict (XEP-0060 §7.1.5), and one of the others for options that they do not know.
 */
const RECOVERABLE = new Set([
  'conflict',
  'resource-constraint',
  'not-acceptable',
  'bad-request',
  'feature-not-implemented',
  'precondition-failed',
]);

/** What stands in a node of our own account, which keeps one item; undefined when nothing does. */
export async function fetchOwnItem(
  client: XmppPort,
  { node, id: itemId }: Pick<Publication, 'node' | 'id'>,
  signal?: AbortSignal,
): Promise<Element | undefined> {
  try {
    const items = await fetchItems(client, undefined, node, { max: 1 }, signal);
    return items.findLast(({ id }) => id === itemId)?.payload;
  } catch (error) {
    if (errorCondition(error) === 'item-not-found') return undefined;
    throw error;
  }
}

/** Publishes in a node of our own account that keeps its items and is readable as asked, and sees to it that it is. */
export async function publishToPep(
  client: XmppPort,
  publication: Publication,
  access: AccessModel,
  signal?: AbortSignal,
): Promise<void> {
  const options: NodeOptions = { [ACCESS]: access, 'pubsub#persist_items': 'true' };
  try {
    await publishItem(client, publication, options, signal);
    return;
  } catch (error) {
    if (!RECOVERABLE.has(errorCondition(error) ?? '')) throw error;
  }
  await repairNode(client, publication.node, options, signal);
  await publishItem(client, publication, undefined, signal);
}

async function repairNode(client: XmppPort, node: string, options: NodeOptions, signal?: AbortSignal): Promise<void> {
  try {
    await createNode(client, node, signal);
  } catch (error) {
    if (errorCondition(error) !== 'conflict') throw error;
  }
  const before = await readNodeConfig(client, node, signal);
  const known = Object.fromEntries(Object.entries(options).filter(([name]) => before.has(name)));
  await configureNode(client, node, known, signal);
  const after = await readNodeConfig(client, node, signal);
  // The wrong readers are worse than nothing published.
  if (after.get(ACCESS) !== options[ACCESS]) {
    throw new AppError('not-allowed', 'the server keeps the node readable for others than asked', { node });
  }
}
