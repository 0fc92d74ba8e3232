import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { AppError } from '../../base/errors.ts';
import { attr, child, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { NS_DATA, readForm } from './0004-data-forms.ts';
import { publishToPep } from './0163-pep.ts';

interface Server {
  readonly port: XmppPort;
  readonly node: { access: string | undefined; items: string[] };
}

/** A server that answers `refusal` to publish options and lets a node be configured unless it is stubborn. */
function fakeServer(refusal: string | undefined, options: { existing?: string; isStubborn?: boolean } = {}): Server {
  const node: Server['node'] = { access: options.existing, items: [] };
  const fail = (condition: string): never => {
    throw new AppError('internal', 'refused', { condition });
  };
  const answer = (payload: Element): Element => {
    const publish = child(payload, 'publish');
    if (publish !== undefined) {
      if (child(payload, 'publish-options') !== undefined && refusal !== undefined) fail(refusal);
      node.access ??= 'presence';
      node.items.push(child(child(publish, 'item'), 'x')?.getText() ?? '');
    } else if (child(payload, 'create') !== undefined) {
      if (node.access !== undefined) fail('conflict');
      node.access = 'presence';
    } else if (options.isStubborn !== true) {
      const asked = readForm(child(payload, 'configure'))?.fields.find(({ name }) => name === 'pubsub#access_model');
      node.access = asked?.values[0] ?? node.access;
    }
    const field = xml('field', { var: 'pubsub#access_model' }, xml('value', {}, node.access));
    const configure = xml('configure', {}, xml('x', { xmlns: NS_DATA, type: 'form' }, field));
    const xmlns = attr(payload, 'xmlns');
    return xml('iq', { type: 'result' }, xml('pubsub', { xmlns }, configure));
  };
  const port = new FakeXmppPort(answer);
  return { port, node };
}

const publication = { node: 'urn:example', id: 'current', payload: xml('x', {}, 'hello') };

test.each(['conflict', 'resource-constraint', 'not-acceptable', 'feature-not-implemented'])(
  'a node is made as asked when the server answers %s to the options',
  async (refusal) => {
    for (const existing of [undefined, 'open']) {
      const server = fakeServer(refusal, existing === undefined ? {} : { existing });
      await publishToPep(server.port, publication, 'whitelist');
      expect(server.node).toEqual({ access: 'whitelist', items: ['hello'] });
    }
  },
);

test('nothing is published in a node that stays open to others', async () => {
  const server = fakeServer('conflict', { existing: 'open', isStubborn: true });
  await expect(publishToPep(server.port, publication, 'whitelist')).rejects.toMatchObject({ code: 'not-allowed' });
  expect(server.node.items).toEqual([]);
});

test('a refusal that no setting can repair is passed on', async () => {
  const server = fakeServer('forbidden');
  await expect(publishToPep(server.port, publication, 'open')).rejects.toMatchObject({
    details: { condition: 'forbidden' },
  });
  expect(server.node).toEqual({ access: undefined, items: [] });
});
