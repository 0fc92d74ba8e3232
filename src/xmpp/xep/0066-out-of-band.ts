// XEP-0066: Out of Band Data, version 1.5
import { child, childText, type Element } from '../element.ts';

const NS_OOB = 'jabber:x:oob';
const MAX_LENGTH = 1000;

/** The web page that `parent` leads to; undefined when there is none that may be shown to a person (§3). */
export function readWebPage(parent: Element | undefined): string | undefined {
  return safeWebPage(childText(child(parent, 'x', NS_OOB), 'url'));
}

/** An address over TLS, written so that all of it can be seen; one with a name before the server's misleads who reads it. */
export function safeWebPage(text: string | undefined): string | undefined {
  const typed = text?.trim() ?? '';
  if (typed.length > MAX_LENGTH || !URL.canParse(typed)) return undefined;
  const { href, protocol, username, password } = new URL(typed);
  const isSafe = protocol === 'https:' && username === '' && password === '' && href.length <= MAX_LENGTH;
  return isSafe ? href : undefined;
}
