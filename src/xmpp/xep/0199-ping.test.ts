import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { AppError } from '../../base/errors.ts';
import { xml } from '../element.ts';
import { ping } from './0199-ping.ts';

test('a server is asked in the form that every server knows', async () => {
  const asked: string[] = [];
  const client = new FakeXmppPort((payload, to, type) => {
    asked.push(`${type} ${to} ${payload.toString()}`);
    return xml('iq', { type: 'result' });
  });
  await ping(client, 'a.test');
  expect(asked).toEqual(['get a.test <ping xmlns="urn:xmpp:ping"/>']);
});

test('a refusal is an answer, silence is none', async () => {
  const failing = (error: AppError): FakeXmppPort =>
    new FakeXmppPort(() => {
      throw error;
    });
  const refusal = new AppError('not-found', 'refused', { condition: 'service-unavailable' });
  const silence = new AppError('timed-out', 'no answer');
  await expect(ping(failing(refusal), 'a.test')).resolves.toBeUndefined();
  await expect(ping(failing(silence), 'a.test')).rejects.toBe(silence);
});
