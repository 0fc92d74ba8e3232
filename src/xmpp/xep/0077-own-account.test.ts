import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { codeOf } from '../../../test/fixtures/xmpp-accounts.ts';
import { AppError } from '../../base/errors.ts';
import { type Element, xml } from '../element.ts';
import { changePassword, removeOwnAccount } from './0077-own-account.ts';

/** A server that answers as told, and what it was asked. */
function server(answer: () => Element) {
  const asked: string[] = [];
  const client = new FakeXmppPort((payload, to) => {
    asked.push(`${to ?? 'account'}: ${payload.toString()}`);
    return answer();
  });
  return { client, asked };
}

const refused = (condition: string) => (): never => {
  throw new AppError('not-allowed', 'no', { condition });
};

test('a new password is set at the server, for our own name', async () => {
  const { client, asked } = server(() => xml('iq'));
  await changePassword(client, 'new <password>');
  const name = client.jid.split('@')[0];
  const fields = `<username>${name}</username><password>new &lt;password&gt;</password>`;
  expect(asked).toEqual([`${client.domain}: <query xmlns="jabber:iq:register">${fields}</query>`]);
});

test('the account is removed by its own word', async () => {
  const { client, asked } = server(() => xml('iq'));
  await removeOwnAccount(client);
  expect(asked).toEqual(['account: <query xmlns="jabber:iq:register"><remove/></query>']);
});

test('a server that ends the stream instead of an answer has removed it', async () => {
  const { client } = server(refused('not-authorized'));
  await expect(removeOwnAccount(client)).resolves.toBeUndefined();
});

test('a server that does not let us is named, a broken connection as well', async () => {
  expect(await codeOf(changePassword(server(refused('forbidden')).client, 'new'))).toBe('not-allowed');
  expect(await codeOf(removeOwnAccount(server(refused('not-allowed')).client))).toBe('not-allowed');
  const cut = server(() => {
    throw new AppError('disconnected', 'cut');
  });
  expect(await codeOf(changePassword(cut.client, 'new'))).toBe('disconnected');
});
