import type { BareJid } from '../base/id.ts';
import type { ChatState } from '../xmpp/xep/0085-chat-states.ts';
import type { IncomingMessage } from './incoming-message.ts';

/** A word about lines, or about its author, that is no line. Nothing of it is encrypted. */
export type TalkNote = {
  readonly peer: BareJid;
  /** A device of ours says it to them, or of what they wrote to our other devices; else they say it to us. */
  readonly isOurs: boolean;
  readonly atMs: number;
} & (
  | { readonly kind: 'received' | 'displayed'; readonly id: string }
  | { readonly kind: 'reactions'; readonly id: string; readonly signs: readonly string[] }
  | { readonly kind: 'state'; readonly state: ChatState }
);

/** What was said outside any sphere, as far as it could be read. */
export interface DirectLine {
  readonly text: string;
  readonly state: 'received' | 'undecryptable' | 'forged';
  readonly encrypted: boolean;
  /** The OMEMO identity key of whoever encrypted it; null when that is not known. */
  readonly identityKey: Uint8Array | null;
  /** What opens that which stands sealed beside it. */
  readonly messageKey?: Uint8Array | undefined;
}

/** What becomes of the lines between us and one person. */
export interface DirectTalk {
  /** Whether anything of whoever wrote this is looked at: nothing is decrypted for the others. */
  admits(message: IncomingMessage): boolean;
  /** Keeps a line, within the caller's transaction. Whoever is to hear of it hears when the result is called. */
  keep(message: IncomingMessage, line: DirectLine): () => void;
}
