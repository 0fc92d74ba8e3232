/** A fingerprint of 64 hex digits in eight groups, as Conversations and Dino show it. */
export function fingerprintText(fingerprint: string): string {
  return fingerprint.match(/.{1,8}/g)?.join(' ') ?? '';
}
