import { expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { type Element, xml } from './element.ts';
import { fillRegistration } from './registration-form.ts';

const login = { jid: parseBareJid('lea@a.test'), password: 'pw & <more>' };
const NS_DATA = 'jabber:x:data';

const asked = (...content: Element[]): Element =>
  xml('iq', {}, xml('query', { xmlns: 'jabber:iq:register' }, ...content));
const page = (url: string): Element => xml('x', { xmlns: 'jabber:x:oob' }, xml('url', {}, url));
const field = (name: string, ...content: Element[]): Element => xml('field', { var: name }, ...content);
const must = (name: string): Element => field(name, xml('required'));
const form = (...fields: Element[]): Element => xml('x', { xmlns: NS_DATA, type: 'form' }, ...fields);

/** The code, the page and the sentence of the refusal to fill something in. */
function refusalOf(answer: Element): unknown {
  try {
    return fillRegistration(login, answer).toString();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, url: error.details['url'], message: error.message };
  }
}

test('plain fields and a form are filled in with the name and the password', () => {
  expect(fillRegistration(login, asked(xml('username'), xml('password'))).toString()).toBe(
    '<query xmlns="jabber:iq:register"><username>lea</username><password>pw &amp; &lt;more&gt;</password></query>',
  );
  const filled = fillRegistration(login, asked(form(must('username'), must('password'), field('email'))));
  expect(filled.getChild('x', NS_DATA)?.getChildren('field').length).toBe(3);
});

test('a server that only has a web page for this gives its address, also where the instructions alone name it', () => {
  const elsewhere = {
    code: 'registration-elsewhere',
    url: 'https://a.test/join',
    message: 'the server makes accounts on its web page: https://a.test/join',
  };
  expect(refusalOf(asked(page('https://a.test/join')))).toEqual(elsewhere);
  expect(refusalOf(asked(xml('instructions', {}, 'Visit https://a.test/join.')))).toEqual(elsewhere);
});

test.each(['http://a.test/join', 'javascript:alert(1)', 'https://bank.example@evil.test/', 'file:///etc/passwd', ''])(
  'the address %j is never handed on to anybody',
  (url) => {
    expect(refusalOf(asked(page(url), xml('instructions', {}, url)))).toMatchObject({
      code: 'registration-refused',
      url: undefined,
    });
  },
);

test('whoever can be filled in is, though there is a web page beside it', () => {
  const answer = asked(xml('username'), xml('password'), page('https://a.test/join'));
  expect(refusalOf(answer)).toContain('<username>lea</username>');
});

test('a picture to be read, or more than a name and a password, is told as such, with the page if there is one', () => {
  const media = xml('media', { xmlns: 'urn:xmpp:media-element' }, xml('uri', {}, 'http://a.test/captcha.png'));
  const picture = asked(form(must('username'), must('password'), field('ocr', media)), page('https://a.test/join'));
  expect(refusalOf(picture)).toEqual({
    code: 'registration-asks-more',
    url: 'https://a.test/join',
    message: 'the server asks for more than a name and a password: https://a.test/join',
  });
  expect(refusalOf(asked(form(must('username'), must('password'), must('email'))))).toEqual({
    code: 'registration-asks-more',
    url: undefined,
    message: 'the server asks for more than a name and a password',
  });
});

test('instructions that are all full stops hold nothing up', () => {
  const beginMs = performance.now();
  const words = `https://a${'.'.repeat(60_000)}a`;
  const refused = refusalOf(asked(xml('instructions', {}, words)));
  expect(refused).toMatchObject({ code: 'registration-refused' });
  expect(performance.now() - beginMs).toBeLessThan(2_000);
});
