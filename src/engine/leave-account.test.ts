import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { xml } from '../xmpp/element.ts';
import { leaveAccount } from './leave-account.ts';

const never = new AbortController().signal;
const to = parseBareJid('ana@new.test');

/** What is done at the old account, in its order. */
function setUp(isReadable = true) {
  const done: string[] = [];
  const client = new FakeXmppPort(() => {
    done.push('publish');
    return xml('iq', {});
  });
  const note = (what: string) => (): Promise<void> => Promise.resolve(void done.push(what));
  const readMail = async (): Promise<void> => {
    if (!isReadable) throw new AppError('timed-out', 'no archive');
    done.push('read');
  };
  const move = { check: () => undefined, say: note('say') };
  const session = { client, move, online: { readMail, retire: note('retire') } };
  const leave = (isLost: boolean): Promise<void> =>
    leaveAccount({ session, prove: note('prove') }, { to, isLost }, never);
  return { done, leave };
}

test('what lies at the old account is read before anybody hears of the new one', async () => {
  const { done, leave } = setUp();
  await leave(false);
  expect(done).toEqual(['prove', 'read', 'publish', 'say', 'retire']);
});

test('nobody hears of a move while what lies at the old account cannot be read', async () => {
  const { done, leave } = setUp(false);
  await expect(leave(false)).rejects.toMatchObject({ code: 'timed-out' });
  expect(done).toEqual(['prove']);
});

test('an account that is lost is left as it is', async () => {
  const { done, leave } = setUp(false);
  await leave(true);
  expect(done).toEqual(['prove', 'say']);
});
