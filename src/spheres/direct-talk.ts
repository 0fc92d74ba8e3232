import type { IncomingMessage } from './incoming-message.ts';

/** What was said outside any sphere, as far as it could be read. */
export interface DirectLine {
  readonly text: string;
  readonly state: 'received' | 'undecryptable' | 'forged';
  readonly encrypted: boolean;
  /** The OMEMO identity key of whoever encrypted it; null when that is not known. */
  readonly identityKey: Uint8Array | null;
}

/** What becomes of the lines between us and one person. */
export interface DirectTalk {
  /** Whether anything of whoever wrote this is looked at: nothing is decrypted for the others. */
  admits(message: IncomingMessage): boolean;
  /** Keeps a line, within the caller's transaction. Whoever is to hear of it hears when the result is called. */
  keep(message: IncomingMessage, line: DirectLine): () => void;
}
