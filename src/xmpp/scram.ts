// RFC 5802: Salted Challenge Response Authentication Mechanism (SCRAM)
// RFC 7677: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from '../base/errors.ts';
import { saslPrep } from './sasl-prep.ts';

/** What ties the exchange to the TLS connection it runs in. */
export interface ChannelBinding {
  readonly type: 'tls-exporter' | 'tls-unique' | 'tls-server-end-point';
  readonly data: Uint8Array;
}

export interface ScramDeps {
  readonly hash: 'sha1' | 'sha256';
  readonly username: string;
  readonly password: string;
  /** `unused`: we could bind and the server offered no way to, which it gets to know (§6). */
  readonly binding: ChannelBinding | 'unused' | 'impossible';
  /** Random, printable, without a comma. */
  readonly nonce: string;
}

/** A server that asks for more than this wants to keep us busy. */
const MAX_ITERATIONS = 10_000_000;
/** RFC 7677 §4; Debian's servers use at least this for SHA-1 too. */
const MIN_ITERATIONS = 4096;
const MAX_SALT_BYTES = 1024;
const stretch = promisify(pbkdf2);

/** One sign-in, from our first message to the server's proof that it knows the password too. */
export class ScramExchange {
  readonly #deps: ScramDeps;
  readonly #header: string;
  readonly #bare: string;
  #serverSignature: Buffer | undefined;
  #isProven = false;

  constructor(deps: ScramDeps) {
    this.#deps = deps;
    this.#header = gs2Header(deps.binding);
    this.#bare = `n=${escapeName(deps.username)},r=${deps.nonce}`;
  }

  /** The server has proven that it knows the password: without that, whoever answered says nothing that counts. */
  get isProven(): boolean {
    return this.#isProven;
  }

  get firstMessage(): string {
    return this.#header + this.#bare;
  }

  /** Our answer to the server's first message. Rejects with `bad-certificate` when it is none of an honest server. */
  async finalMessage(serverFirst: string): Promise<string> {
    if (this.#serverSignature !== undefined) throw notTheServer('the server asks twice');
    const { hash, password } = this.#deps;
    const { nonce, salt, iterations } = this.#readChallenge(serverFirst);
    const binding = this.#deps.binding;
    const bound = typeof binding === 'string' ? new Uint8Array() : binding.data;
    const channel = Buffer.concat([Buffer.from(this.#header), bound]).toString('base64');
    const withoutProof = `c=${channel},r=${nonce}`;
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`;
    // §3
    const size = hash === 'sha1' ? 20 : 32;
    const salted = await stretch(saslPrep(password), salt, iterations, size, hash);
    const hmac = (key: Uint8Array, text: string): Buffer => createHmac(hash, key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = createHash(hash).update(clientKey).digest();
    const signature = hmac(storedKey, authMessage);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Checks the server's last message. Throws `bad-certificate` when it does not prove that the server knows the password. */
  prove(serverFinal: string): void {
    const expected = this.#serverSignature;
    const told = /^v=([A-Za-z0-9+/]+={0,2})(?:,|$)/.exec(serverFinal)?.[1];
    const given = Buffer.from(told ?? '', 'base64');
    const isRight = expected !== undefined && given.length === expected.length && timingSafeEqual(given, expected);
    if (!isRight) throw notTheServer('the server does not prove that it knows the password');
    this.#isProven = true;
  }

  #readChallenge(serverFirst: string): { nonce: string; salt: Uint8Array; iterations: number } {
    // §5.1: a leading "m" asks for an extension that nobody has defined.
    const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,8})(?:,|$)/.exec(serverFirst);
    const [, nonce = '', salt = '', count = ''] = match ?? [];
    const own = this.#deps.nonce;
    if (!nonce.startsWith(own) || nonce.length === own.length) throw notTheServer('the challenge is not for us');
    const iterations = Number(count);
    const bytes = Buffer.from(salt, 'base64');
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS || bytes.length > MAX_SALT_BYTES) {
      throw notTheServer('the challenge has impossible parameters');
    }
    return { nonce, salt: bytes, iterations };
  }
}

/** §7, "gs2-header". */
function gs2Header(binding: ScramDeps['binding']): string {
  if (binding === 'impossible') return 'n,,';
  return binding === 'unused' ? 'y,,' : `p=${binding.type},,`;
}

/** §5.1: comma and equals sign separate. */
function escapeName(name: string): string {
  return saslPrep(name).replace(/[=,]/g, (character) => (character === '=' ? '=3D' : '=2C'));
}

function notTheServer(text: string): AppError {
  return new AppError('bad-certificate', text);
}
