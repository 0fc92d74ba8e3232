import type { KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, createHash, createHmac, createSecretKey } from 'node:crypto';
import type { RandomBytes } from '../base/random.ts';
import { agree, clamp, publicKeyOf, signXeddsa, verifyXeddsa } from './curve.ts';
import { toBuffer } from './signal-types.ts';

/** The part of Web Crypto the library calls. It awaits every answer, so that plain values serve as well. */
export interface LibraryWebCrypto {
  getRandomValues(array: Uint8Array): Uint8Array;
  readonly subtle: {
    importKey(format: 'raw', key: ArrayBuffer): KeyObject;
    encrypt(algorithm: { iv: Uint8Array }, key: KeyObject, data: ArrayBuffer): ArrayBuffer;
    decrypt(algorithm: { iv: Uint8Array }, key: KeyObject, data: ArrayBuffer): ArrayBuffer;
    sign(algorithm: unknown, key: KeyObject, data: ArrayBuffer): ArrayBuffer;
    digest(algorithm: unknown, data: ArrayBuffer): ArrayBuffer;
  };
}

export interface LibraryCurve {
  keyPair(privateKey: ArrayBuffer): { pubKey: ArrayBuffer; privKey: ArrayBuffer };
  sharedSecret(publicKey: ArrayBuffer, privateKey: ArrayBuffer): ArrayBuffer;
  sign(privateKey: ArrayBuffer, message: ArrayBuffer): ArrayBuffer;
  /** The library's convention: true means that the signature is wrong. */
  verify(publicKey: ArrayBuffer, message: ArrayBuffer, signature: ArrayBuffer): boolean;
}

/** AES-256-CBC, HMAC-SHA-256 and SHA-512 without a thread hop per call: twice as fast for these small inputs. */
export function createLibraryWebCrypto(random: RandomBytes): LibraryWebCrypto {
  return {
    getRandomValues(array) {
      array.set(random(array.length));
      return array;
    },
    subtle: {
      // Twice as fast as bytes, which the runtime examines at length.
      importKey: (_format, key) => createSecretKey(new Uint8Array(key)),
      encrypt({ iv }, key, data) {
        const cipher = createCipheriv('aes-256-cbc', key, iv);
        return toBuffer(Buffer.concat([cipher.update(new Uint8Array(data)), cipher.final()]));
      },
      decrypt({ iv }, key, data) {
        const decipher = createDecipheriv('aes-256-cbc', key, iv);
        return toBuffer(Buffer.concat([decipher.update(new Uint8Array(data)), decipher.final()]));
      },
      sign: (_algorithm, key, data) => toBuffer(createHmac('sha256', key).update(new Uint8Array(data)).digest()),
      digest: (_algorithm, data) => toBuffer(createHash('sha512').update(new Uint8Array(data)).digest()),
    },
  };
}

export function createLibraryCurve(random: RandomBytes): LibraryCurve {
  return {
    keyPair(privateKey) {
      const clamped = clamp(new Uint8Array(privateKey));
      return { pubKey: toBuffer(publicKeyOf(clamped)), privKey: toBuffer(clamped) };
    },
    sharedSecret: (publicKey, privateKey) => toBuffer(agree(new Uint8Array(publicKey), new Uint8Array(privateKey))),
    sign: (privateKey, message) => toBuffer(signXeddsa(new Uint8Array(privateKey), new Uint8Array(message), random)),
    verify: (publicKey, message, signature) =>
      !verifyXeddsa(new Uint8Array(publicKey), new Uint8Array(message), new Uint8Array(signature)),
  };
}
