/** Cryptographically strong random bytes; injected so that test vectors can be made. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/** The platform's generator (Web Crypto exists in Node and in browsers). */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
