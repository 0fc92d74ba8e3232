import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { RandomBytes } from '../base/random.ts';

const LIFETIME_MS = 30 * 24 * 3600 * 1000;
/** A browser that starts takes a while to ask for its first page. */
const TICKET_MS = 2 * 60 * 1000;

/**
 * Who may talk to the engine: programs by this launch's token, browsers by a cookie they get for it.
 * The cookie outlives the launch, so that an open page finds its way back to a restarted engine.
 */
export class SessionGuard {
  readonly #token: string;
  readonly #cookieKey: Uint8Array;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  /** When each ticket ends, by the monotonic clock. */
  readonly #tickets = new Map<string, number>();

  constructor(deps: { token: string; cookieKey: Uint8Array; clock: Clock; random: RandomBytes }) {
    this.#token = deps.token;
    this.#cookieKey = deps.cookieKey;
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /**
   * A token for one sign-in within two minutes. A browser is started with its address as an argument, which every
   * user of the computer can read for as long as the browser runs.
   */
  ticket(): string {
    const ticket = Buffer.from(this.#random(32)).toString('base64url');
    this.#tickets.set(ticket, this.#clock.monotonic() + TICKET_MS);
    return ticket;
  }

  /** Whether this is a program that has the token, which no page is ever told. */
  isProgram(authorization: string | undefined): boolean {
    return authorization?.startsWith('Bearer ') === true && this.#isToken(authorization.slice('Bearer '.length));
  }

  /** Whether a page with this token may have a cookie; a ticket is used up. */
  signsIn(candidate: string | null): boolean {
    if (candidate === null) return false;
    const endsAt = this.#tickets.get(candidate);
    this.#tickets.delete(candidate);
    if (endsAt !== undefined) return this.#clock.monotonic() < endsAt;
    return this.#isToken(candidate);
  }

  /** The same for a ticket alone; it is used up. */
  takesTicket(candidate: string | null): boolean {
    return candidate !== null && this.#tickets.has(candidate) && this.signsIn(candidate);
  }

  /** Checks `Authorization: Bearer` and the cookie; either is enough. */
  isAuthorised(headers: { authorization?: string | undefined; cookie?: string | undefined }, port: number): boolean {
    if (headers.authorization?.startsWith('Bearer ') === true) return this.isProgram(headers.authorization);
    const value = readCookie(headers.cookie, cookieName(port));
    return value !== undefined && this.#isCookie(value, port);
  }

  /** The value of a Set-Cookie header. */
  setCookie(port: number): string {
    const issuedMs = String(this.#clock.now());
    return `${cookieName(port)}=${issuedMs}.${this.#mac(issuedMs, port)}; Path=/; HttpOnly; SameSite=Strict`;
  }

  #isToken(candidate: string): boolean {
    return equalText(candidate, this.#token);
  }

  #isCookie(value: string, port: number): boolean {
    const [issuedMs = '', mac = ''] = value.split('.');
    if (!/^\d{1,15}$/.test(issuedMs) || !equalText(mac, this.#mac(issuedMs, port))) return false;
    return this.#clock.now() - Number(issuedMs) < LIFETIME_MS;
  }

  /** Of one port: whoever listens at another one that a browser is led to gets nothing that counts at ours. */
  #mac(issuedMs: string, port: number): string {
    const signed = `spherecast-session-v2 ${port} ${issuedMs}`;
    return createHmac('sha256', this.#cookieKey).update(signed).digest('base64url');
  }
}

/** Browsers send a cookie to every port of a host, so that engines side by side need names of their own. */
function cookieName(port: number): string {
  return `spherecast-${port}`;
}

function readCookie(header: string | undefined, name: string): string | undefined {
  const pair = header
    ?.split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}

/** Compares digests, so that neither content nor length is told by the time it takes. */
function equalText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
