// BEP 3: the handshake of peers; BEP 6 and BEP 10: its reserved bits. All without its first byte

const EXTENSIONS = { at: 24, bit: 0x10 };
const FAST = { at: 26, bit: 0x04 };
/** Where the 20 bytes of the peer id begin. */
export const PEER_ID_AT = 47;

export const hasExtensions = (handshake: Uint8Array | null): boolean => says(handshake, EXTENSIONS);
export const hasFast = (handshake: Uint8Array | null): boolean => says(handshake, FAST);

function says(handshake: Uint8Array | null, { at, bit }: { at: number; bit: number }): boolean {
  return ((handshake?.[at] ?? 0) & bit) !== 0;
}
