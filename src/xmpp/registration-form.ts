// XEP-0077: In-Band Registration, version 2.4
import { AppError } from '../base/errors.ts';
import { child, children, childText, type Element, xml } from './element.ts';
import { localPartOf } from './jid.ts';
import type { XmppLogin } from './login.ts';
import { NS_DATA, readForm, submitForm } from './xep/0004-data-forms.ts';
import { readWebPage, safeWebPage } from './xep/0066-out-of-band.ts';
import { NS_REGISTER } from './xep/0077-own-account.ts';

// XEP-0221
const NS_MEDIA = 'urn:xmpp:media-element';
/** Of a web page's address in the instructions. */
const MAX_NAMED = 1000;

/**
 * What the server asked for, filled in. Rejects with `registration-elsewhere`, `registration-asks-more` (both with the
 * `url` of a web page in the details, if there is one) or `registration-refused`.
 */
export function fillRegistration(login: Pick<XmppLogin, 'jid' | 'password'>, answer: Element): Element {
  const query = child(answer, 'query', NS_REGISTER);
  const values: Record<string, string> = { username: localPartOf(login.jid), password: login.password };
  const form = readForm(query);
  // §6: a form takes the place of the plain fields, and both that of a web page.
  if (form === undefined) {
    const missing = Object.keys(values).filter((name) => childText(query, name) === undefined);
    if (missing.length > 0) throw elsewhere(query, missing);
    const content = Object.entries(values).map(([name, value]) => xml(name, {}, value));
    return xml('query', { xmlns: NS_REGISTER }, ...content);
  }
  const unknown = form.fields.filter(({ isRequired, name }) => isRequired && !Object.hasOwn(values, name));
  if (unknown.length > 0 || asksForMedia(query)) {
    const fields = unknown.map(({ name }) => name.slice(0, 100)).slice(0, 20);
    const sentence = 'the server asks for more than a name and a password';
    throw withPage('registration-asks-more', sentence, { fields, url: readWebPage(query) });
  }
  return xml('query', { xmlns: NS_REGISTER }, submitForm(NS_REGISTER, values));
}

/** XEP-0158: something to be seen or heard, so that programs make no accounts. */
function asksForMedia(query: Element | undefined): boolean {
  return children(child(query, 'x', NS_DATA), 'field').some((field) => child(field, 'media', NS_MEDIA) !== undefined);
}

function elsewhere(query: Element | undefined, missing: readonly string[]): AppError {
  const url = pageOf(query);
  if (url !== undefined)
    return withPage('registration-elsewhere', 'the server makes accounts on its web page', { url });
  const text = childText(query, 'instructions')?.slice(0, 200);
  return new AppError('registration-refused', 'the server registers elsewhere', { missing, text });
}

/** §5; there are servers that name the page in the instructions only. */
function pageOf(query: Element | undefined): string | undefined {
  const [named = ''] = /https:\/\/[^\s<>"']+/i.exec(childText(query, 'instructions') ?? '') ?? [];
  // Looking for the end of its sentence takes the square of the length.
  const page = named.length > MAX_NAMED ? undefined : named.replace(/[.,;:!?)\]]+$/, '');
  return readWebPage(query) ?? safeWebPage(page);
}

/** The sentence holds the address too: that is what the command line prints. */
function withPage(
  code: 'registration-elsewhere' | 'registration-asks-more',
  message: string,
  details: { readonly url: string | undefined; readonly fields?: readonly string[] },
): AppError {
  return new AppError(code, details.url === undefined ? message : `${message}: ${details.url}`, details);
}
