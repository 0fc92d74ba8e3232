// XEP-0199: XMPP Ping, version 2.0.1; XEP-0352: Client State Indication, version 1.0.1
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import { attr, type Element } from '../xmpp/element.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { Occupant } from '../xmpp/room-types.ts';
import { ping } from '../xmpp/xep/0199-ping.ts';
import type { Said } from './ephemeral-channel.ts';

interface WakeCallsDeps {
  readonly client: Pick<XmppPort, 'fullJid' | 'onStanza' | 'iq'>;
  readonly occupants: (room: BareJid) => readonly Occupant[];
  /** Whether an occupant says that it reads ephemeral messages. */
  readonly reads: (room: BareJid, occupant: Occupant) => Promise<boolean>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
}

/** What others have to act on at once; the rest may come with the next thing that does. */
const URGENT: ReadonlySet<Said['kind']> = new Set(['endpoints', 'rtc', 'fetching', 'want']);
/** Whoever heard it at once has mostly answered by then. */
const ANSWER_MS = 300;
/** A server goes on handing on everything for some seconds after its client spoke: five, of Prosody. */
const OPEN_MS = 3_000;
/** Less than a device stays awake once it was woken. */
const AWAKE_MS = 50_000;
/** Between two pings: a server may let a client say 10 kB a second. */
const PACE_MS = 25;
/** As many devices as a sphere has at most. */
const MOST_AT_ONCE = 150;
const MOST_REMEMBERED = 1_024;

/**
 * A server that was told that nobody looks holds back who comes and what is said without a text, but no request, and with
 * a request comes what was held back. So whoever may not have heard something urgent is asked whether it is there.
 */
export class WakeCalls implements Disposable {
  readonly #deps: WakeCallsDeps;
  readonly #stop: () => void;
  /** By room and nick: when it last spoke. */
  readonly #spoke = new RecentMap<string, number>(MOST_REMEMBERED);
  /** By the address of the device, which may be in many rooms. */
  readonly #woken = new RecentMap<string, number>(MOST_REMEMBERED);
  /** Rooms in which something urgent was just said, and to whom; null: to everybody. */
  readonly #urgent = new Map<BareJid, Set<string> | null>();
  #nextMs = 0;

  constructor(deps: WakeCallsDeps) {
    this.#deps = deps;
    this.#stop = deps.client.onStanza.on((stanza) => this.#hear(stanza));
  }

  /** Something was said to a room. */
  said({ room, kind, to }: Said): void {
    if (!URGENT.has(kind)) return;
    const known = this.#urgent.get(room);
    if (known !== undefined) {
      if (to === null) this.#urgent.set(room, null);
      else known?.add(to);
      return;
    }
    this.#urgent.set(room, to === null ? null : new Set([to]));
    this.#deps.spawn('wake others', async (signal) => {
      await this.#deps.clock.sleep(ANSWER_MS, signal);
      const devices = this.#urgent.get(room) ?? null;
      this.#urgent.delete(room);
      for (const occupant of this.#addressees(room, devices).slice(0, MOST_AT_ONCE)) this.#wake(room, occupant);
    });
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #hear(stanza: Element): void {
    const from = attr(stanza, 'from');
    if (from === undefined || stanza.name !== 'message' || attr(stanza, 'type') !== 'groupchat') return;
    this.#spoke.set(from, this.#deps.clock.monotonic());
  }

  #addressees(room: BareJid, devices: ReadonlySet<string> | null): readonly Occupant[] {
    const others = this.#deps.occupants(room).filter(({ fullJid }) => fullJid !== this.#deps.client.fullJid);
    if (devices === null) return others;
    // A nick is a claim: where none names the device, any of them may be it.
    const named = others.filter(({ nick }) => [...devices].some((device) => nick.includes(nickMark(device))));
    return named.length > 0 ? named : others;
  }

  #wake(room: BareJid, occupant: Occupant): void {
    const { client, clock, reads, spawn } = this.#deps;
    const address = `${room}/${occupant.nick}`;
    const device = occupant.fullJid ?? address;
    const nowMs = clock.monotonic();
    const isRecent = (atMs: number | undefined, ms: number): boolean => atMs !== undefined && nowMs - atMs < ms;
    if (isRecent(this.#spoke.get(address), OPEN_MS) || isRecent(this.#woken.get(device), AWAKE_MS)) return;
    const atMs = Math.max(nowMs, this.#nextMs);
    // Who is there is the room's to say: what it makes up must not grow here.
    if (atMs - nowMs >= MOST_AT_ONCE * PACE_MS) return;
    this.#woken.set(device, nowMs);
    this.#nextMs = atMs + PACE_MS;
    spawn('wake a device', async (signal) => {
      await clock.sleep(atMs - nowMs, signal);
      if (!(await reads(room, occupant))) return;
      // Whoever does not answer has gone, or answers nobody: either is told by other means.
      await ping(client, address, signal).catch(() => undefined);
    });
  }
}

/** What the nick of a device ends with, unless somebody else had that nick. */
export function nickMark(device: string): string {
  return `-${device.slice(0, 6)}`;
}
