/** Cryptographically strong random bytes; injected so that test vectors can be made. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/** A number in [0, 1). */
export function randomFraction(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}

/** The platform's generator (Web Crypto exists in Node and in browsers). */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
