import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { AppError } from '../../base/errors.ts';
import { xml } from '../element.ts';
import type { IqHandler } from '../port.ts';
import { askExternalServices, onExternalServices } from './0215-external-services.ts';

const xmlns = 'urn:xmpp:extdisco:2';
const turn = { type: 'turn', host: 'turn.a.test', port: 3478 } as const;

test('what a restricted service asks for is asked of the server', async () => {
  const asked: string[] = [];
  const client = new FakeXmppPort((payload, to) => {
    asked.push(`${to} ${payload.toString()}`);
    const known = payload.name === 'credentials' ? { username: 'ana', password: 'once' } : {};
    return xml('iq', {}, xml(payload.name, { xmlns }, xml('service', { ...turn, restricted: '1', ...known })));
  });
  const service = { ...turn, username: 'ana', password: 'once', isRestricted: true, expiresMs: null };
  expect(await askExternalServices(client)).toEqual([service]);
  expect(asked).toEqual([
    `a.test <services xmlns="${xmlns}"/>`,
    `a.test <credentials xmlns="${xmlns}"><service type="turn" host="turn.a.test" port="3478"/></credentials>`,
  ]);
});

test('a server without the extension has no services, one that is silent is asked again', async () => {
  const failing = (code: ErrorCode, details: object) =>
    askExternalServices(
      new FakeXmppPort(() => {
        throw new AppError(code, 'no', { ...details });
      }),
    );
  expect(await failing('not-found', { condition: 'service-unavailable' })).toEqual([]);
  await expect(failing('timed-out', {})).rejects.toMatchObject({ code: 'timed-out' });
});

test('only our own server tells that its services changed', () => {
  let handler: IqHandler = () => undefined;
  const client = new FakeXmppPort(() => xml('iq'));
  client.handleIq = (_type?: string, _xmlns?: string, _name?: string, given?: IqHandler) => {
    handler = given ?? handler;
    return { [Symbol.dispose]: () => undefined };
  };
  let changes = 0;
  using _watching = onExternalServices(client, () => {
    changes += 1;
  });
  const payload = xml('services', { xmlns });
  for (const from of ['ana@a.test', 'ana@a.test/other', 'b.test', 'rooms.a.test']) {
    expect(() => handler({ type: 'set', from, payload })).toThrow('only the server');
  }
  expect(changes).toBe(0);
  handler({ type: 'set', from: 'a.test', payload });
  expect(changes).toBe(1);
});
