// RFC 4013: SASLprep: Stringprep Profile for User Names and Passwords

/** RFC 3454, table C.1.2. */
const OTHER_SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g;
/** RFC 3454, table B.1. */
const MAPPED_TO_NOTHING = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;

/**
 * The one spelling of a password that both sides hash (§2.1 and §2.2). What §2.3 prohibits is left in: a server that
 * took such a password when it was set would not know it without.
 */
export function saslPrep(text: string): string {
  return text.replace(OTHER_SPACES, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
}
