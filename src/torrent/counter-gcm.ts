import { createCipheriv } from 'node:crypto';

/*
 * AES-GCM: NIST SP 800-38D (November 2007).
 *
 * GCM enciphers in counter mode and computes a tag over the ciphertext beside it, with wider vector instructions than
 * OpenSSL has for counter mode alone. Its first counter is not free to choose, but a GHASH of the IV (§7.1), which can
 * be solved for the IV: so it gives the key stream of our items, whose counter is the number of the block.
 */
const BLOCK_BITS = 128n;
/** x^128 + x^7 + x^2 + x + 1 (§6.3). */
const MODULUS = (1n << BLOCK_BITS) | 0x87n;
/** Block numbers that a torrent's byte space can have: 2^53 bytes. */
const COUNTER_BITS = 49;
/** What GHASH takes in after an IV of one block: 64 zero bits and the length of the IV in bits (§7.1). */
const LENGTH_BLOCK = 128n;
/** `inc32` counts in these bits only (§6.2). */
const INCREMENTED = 0xffff_ffffn;

/** The IVs with which AES-256-GCM under one key begins at any block of the key stream. */
export class CounterGcm {
  readonly #base: bigint;
  /** What each bit of the wanted counter adds to the IV, the lowest first. */
  readonly #columns: readonly bigint[];

  constructor(key: Uint8Array) {
    const zero = new Uint8Array(16);
    const hashKey = reversed(toNumber(createCipheriv('aes-256-ctr', key, zero).update(zero)));
    const inverse = invert(hashKey);
    const squared = multiply(inverse, inverse);
    this.#base = reversed(multiply(reversed(LENGTH_BLOCK), inverse));
    this.#columns = Array.from({ length: COUNTER_BITS }, (_, bit) =>
      reversed(multiply(reversed(1n << BigInt(bit)), squared)),
    );
  }

  /** The IV after which block number `block` comes first. J0 = (IV · H ⊕ lengths) · H, and the first counter is inc32(J0). */
  iv(block: number): Uint8Array {
    const first = BigInt(block);
    const before = (first & ~INCREMENTED) | ((first - 1n) & INCREMENTED);
    let iv = this.#base;
    this.#columns.forEach((column, bit) => {
      if (((before >> BigInt(bit)) & 1n) === 1n) iv ^= column;
    });
    return toBlock(iv);
  }
}

function toNumber(block: Uint8Array): bigint {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

function toBlock(number: bigint): Uint8Array {
  const block = new Uint8Array(16);
  const view = new DataView(block.buffer);
  view.setBigUint64(0, number >> 64n);
  view.setBigUint64(8, BigInt.asUintN(64, number));
  return block;
}

/** Between a block read as a number and a polynomial whose bit i is the coefficient of x^i: the leftmost bit is x^0 (§6.3). */
function reversed(bits: bigint): bigint {
  return BigInt(`0b${Array.from(bits.toString(2).padStart(128, '0')).toReversed().join('')}`);
}

function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  let power = a;
  for (let rest = b; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) product ^= power;
    power <<= 1n;
    if (power >> BLOCK_BITS > 0n) power ^= MODULUS;
  }
  return product;
}

/** By Euclid's algorithm for polynomials; nothing inverts 0, which is the hash key of no key anybody will meet. */
function invert(element: bigint): bigint {
  let [u, v, ofU, ofV] = [element, MODULUS, 1n, 0n];
  while (u > 1n) {
    let shift = degree(u) - degree(v);
    if (shift < 0) {
      [u, v, ofU, ofV] = [v, u, ofV, ofU];
      shift = -shift;
    }
    u ^= v << BigInt(shift);
    ofU ^= ofV << BigInt(shift);
  }
  return ofU;
}

function degree(polynomial: bigint): number {
  return polynomial.toString(2).length - 1;
}
