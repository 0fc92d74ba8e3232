import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Scope } from '../base/scope.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { People } from '../people/people.ts';
import type { DeviceDirectory } from '../spheres/device-directory.ts';
import type { DirectMail } from '../spheres/direct-mail.ts';
import type { Outgoing } from '../spheres/outgoing.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { RoomMover } from '../spheres/room-mover.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { SingleRun } from '../spheres/single-run.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { SpheresOfTwo } from '../spheres/spheres-of-two.ts';
import type { Vault } from '../spheres/vault.ts';
import type { XmppClient } from '../xmpp/client.ts';
import type { ServerFeatures } from '../xmpp/features.ts';
import { checkServer } from '../xmpp/features.ts';
import type { TrialNote } from '../xmpp/trial-room.ts';
import { sweepTrialRooms } from '../xmpp/trial-room.ts';
import { answerDisco, sendPresence } from '../xmpp/xep/0115-caps.ts';
import { onDeviceList } from '../xmpp/xep/0384-omemo.ts';
import { ABILITIES, FIRST_ABILITIES } from './abilities.ts';
import { LateNews } from './late-news.ts';

/** What is known of the server since the last sign-in. */
export interface ServerKnowledge {
  features: ServerFeatures | null;
}

interface AccountOnlineDeps {
  readonly client: XmppClient;
  readonly list: SphereList;
  readonly rooms: Rooms;
  readonly outgoing: Outgoing;
  readonly directory: DeviceDirectory;
  readonly direct: DirectMail;
  readonly people: People;
  readonly devices: OwnDevices;
  readonly ofTwo: Pick<SpheresOfTwo, 'takeInvitations'>;
  readonly vault: Vault;
  readonly run: Pick<SingleRun, 'begin' | 'isOurs'>;
  readonly omemo: Omemo;
  readonly server: ServerKnowledge;
  readonly mover: Pick<RoomMover, 'takeBack'>;
  /** Of rooms that checks of the server made. */
  readonly note: TrialNote;
  readonly scope: Scope;
  /** What is still to be done after we, or people we know, have moved to another account. */
  readonly settleMoves: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY = { baseMs: 5_000, maxMs: 300_000 };
const CARE_MS = 5_000;
/** So long, looking so often, a session that was just begun is waited for. */
const SET_UP_MS = 30_000;
const LOOK_MS = 250;
/** A computer that is left on keeps its keys fresh too. */
const CARE_EVERY_MS = 6 * 3_600_000;
/** So often a first sign-in is tried before the person hears that it does not work. */
const FIRST_ATTEMPTS = 3;

/** What has to happen in every new session with the server, in its order. */
export class AccountOnline implements Disposable {
  /** Another copy of this profile goes on with this device: nothing more is done with its keys here. */
  readonly onCopied: Emitter<void>;
  readonly #deps: AccountOnlineDeps;
  readonly #stops: (() => void)[];
  readonly #answers: Disposable;
  readonly #lateNews: LateNews;
  #first = Promise.withResolvers<void>();
  /** Of the server's sessions: how many there were, and which one was set up last. */
  #session = 0;
  #setUpSession = 0;
  #beginning = 0;
  #isCareDue = false;
  /** Whether others may still pick prekeys that are used up. */
  #isBundleStale = false;
  /** Whether the own list was seen without this device. */
  #isUnlisted = false;
  /** The newest of those who put it back. */
  #listing = 0;
  #failures = 0;
  /** How often in a row the archive could not be read. */
  #unread = 0;
  /** The session in which it is going to be read again. */
  #readDueIn: number | null = null;
  #isCopied = false;
  #isRetired = false;

  constructor(deps: AccountOnlineDeps) {
    this.#deps = deps;
    this.onCopied = new Emitter((error) => deps.log.error('copy listener failed', { error }));
    this.#answers = answerDisco(deps.client, ABILITIES, FIRST_ABILITIES);
    const isRead = (): boolean => deps.list.wantedRooms().every((room) => deps.rooms.isCaughtUp(room));
    this.#lateNews = new LateNews({ ...deps, isRead, session: () => this.#session });
    deps.scope.spawn('care for keys regularly', async (signal) => {
      for (;;) {
        await deps.clock.sleep(CARE_EVERY_MS, signal);
        if (deps.client.state.kind !== 'online') continue;
        await this.#lookForCopy(signal);
        this.#careSoon();
      }
    });
    // Without a caller of `ready` nobody waits for the first session.
    this.#first.promise.catch(() => undefined);
    this.#stops = [
      onDeviceList(deps.client, (jid, deviceIds) => this.#listChanged(jid, deviceIds)),
      deps.omemo.bundleChanged.on(() => this.#careSoon()),
      deps.direct.onMissed.on(() => this.#catchUpSoon()),
      deps.client.onState.on((state) => {
        if (state.kind === 'failed') this.#first.reject(state.error);
        if (state.kind !== 'online') return;
        if (!state.resumed) this.#session += 1;
        // One that broke while it was set up goes on as it broke: the server would bring us nothing.
        if (this.#setUpSession === this.#session) deps.scope.spawn('session goes on', (signal) => this.#goOn(signal));
        else deps.scope.spawn('new session', (signal) => this.#begin(signal));
      }),
    ];
  }

  /** Resolves when the first session is set up; rejects when the server cannot carry spheres or never answers. */
  async ready(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#first.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get isCopied(): boolean {
    return this.#isCopied;
  }

  /** When it returns all that lies at the account is here; rejects when that cannot be known. */
  async readMail(signal: AbortSignal): Promise<void> {
    const { clock, client, direct } = this.#deps;
    const isSetUp = (): boolean => client.state.kind === 'online' && this.#setUpSession === this.#session;
    for (let waitedMs = 0; !isSetUp() && waitedMs < SET_UP_MS; waitedMs += LOOK_MS) await clock.sleep(LOOK_MS, signal);
    if (!isSetUp()) throw new AppError('disconnected', 'what lies at the account cannot be read now');
    await direct.catchUp();
    signal.throwIfAborted();
  }

  /**
   * The person leaves this account: whoever writes to it should not believe that this device reads it. What came until then is
   * here when it returns; when that fails the account is not left.
   */
  async retire(signal: AbortSignal): Promise<void> {
    const { directory, client, omemo, scope, log } = this.#deps;
    this.#isRetired = true;
    try {
      try {
        await directory.unlistOwn(client.jid, [omemo.deviceId], signal);
      } catch (error) {
        signal.throwIfAborted();
        log.info('own device stays on the list of the old account', { error });
      }
      await this.readMail(signal);
    } catch (error) {
      this.#isRetired = false;
      this.#isUnlisted = true;
      scope.spawn('list own device', (ongoing) => this.#listOwn(ongoing));
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
    this.#answers[Symbol.dispose]();
  }

  /** What was written into the connection of before may have come through: the archive is read before it is said again. */
  async #goOn(signal: AbortSignal): Promise<void> {
    const { outgoing, people, ofTwo } = this.#deps;
    this.#lateNews.soon();
    outgoing.poke();
    await this.#catchUp(signal);
    outgoing.poke();
    people.poke();
    ofTwo.takeInvitations();
    await this.#lookForCopy(signal);
    await this.#listOwn(signal);
  }

  /** One that was started while this session could not be asked. */
  async #lookForCopy(signal: AbortSignal): Promise<void> {
    const { run, devices, log } = this.#deps;
    try {
      if (!devices.isEnded && !(await run.isOurs(signal))) this.#copied();
    } catch (error) {
      signal.throwIfAborted();
      log.info('copies not looked for', { error });
    }
  }

  #copied(): void {
    if (this.#isCopied) return;
    this.#isCopied = true;
    this.#first.reject(new AppError('conflict', 'another copy of this profile goes on with this device'));
    this.onCopied.emit();
  }

  /**
   * Tried again as long as this connection lasts; whoever waits for the first session hears at once that a server lacks
   * what spheres need.
   */
  async #begin(signal: AbortSignal): Promise<void> {
    const { clock, client, log } = this.#deps;
    const session = this.#session;
    this.#beginning += 1;
    const beginning = this.#beginning;
    for (let attempt = 0; beginning === this.#beginning && client.state.kind === 'online'; attempt += 1) {
      try {
        // On a slow line each question takes a second: nothing waits for what it does not need, and the run is asked for first.
        const settling = this.#deps.devices.isEnded ? Promise.resolve(true) : this.#deps.run.begin(signal);
        const asking = Promise.all([checkServer(client, signal), this.#deps.people.begin(signal)]);
        for (const begun of [settling, asking]) begun.catch(() => undefined);
        if (!(await settling)) return void this.#copied();
        [this.#deps.server.features] = await asking;
        await this.#setUp(this.#deps.server.features, signal);
        this.#setUpSession = session;
        break;
      } catch (error) {
        signal.throwIfAborted();
        log.warn('session not set up', { error });
        this.#noteFailure(error);
        const delayMs = backoffDelay(attempt, RETRY, () => client.jitter());
        await clock.sleep(delayMs, signal);
      }
    }
    if (this.#setUpSession !== session) return;
    this.#lateNews.soon();
    if (!this.#isUnlisted || this.#deps.devices.isEnded) this.#first.resolve();
    else await this.#listOwn(signal);
  }

  #noteFailure(error: unknown): void {
    const isFinal = ['server-lacks-pep', 'server-lacks-rooms'].includes(errorCode(error));
    this.#failures += 1;
    // A server that is just starting seems to lack what it has in a moment.
    if (isFinal || this.#failures >= FIRST_ATTEMPTS) this.#first.reject(error);
  }

  async #setUp(features: ServerFeatures, signal: AbortSignal): Promise<void> {
    const { client, directory, list, rooms, direct, outgoing, people, devices } = this.#deps;
    directory.forget();
    for (const room of list.wantedRooms()) rooms.keepJoined(room);
    const hearing = features.carbons ? people.hearOthers(signal) : undefined;
    hearing?.catch(() => undefined);
    await sendPresence(client, FIRST_ABILITIES);
    await direct.begin();
    await this.#catchUp(signal);
    await hearing;
    await this.#publishKeys(signal);
    await devices.begin();
    await this.#settleMoves(signal);
    this.#deps.ofTwo.takeInvitations();
    this.#deps.vault.begin();
    outgoing.keysChanged();
    people.poke();
    await sweepTrialRooms(this.#deps);
    // At a server that does not answer that takes its time.
    this.#deps.scope.spawn('take back rooms', (stop) => this.#deps.mover.takeBack(stop));
  }

  /** Lists that cannot be written keep nobody from the rest. */
  async #settleMoves(signal: AbortSignal): Promise<void> {
    const { settleMoves, client, log } = this.#deps;
    try {
      await settleMoves(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (client.state.kind !== 'online') throw error;
      log.warn('lists not settled after a move', { error });
    }
  }

  /** A list that cannot be read or written keeps nobody from the rest; it alone is tried again. */
  async #publishKeys(signal: AbortSignal): Promise<void> {
    const { client, directory, omemo, devices, log } = this.#deps;
    try {
      // What was read may have used up keys; on a slow line a bundle takes two seconds, so it goes out once.
      await omemo.careForKeys(signal);
      this.#isBundleStale = false;
      if (!devices.isEnded) await directory.publishOwn(client.jid, omemo.deviceId, omemo.bundle(), signal);
      this.#isUnlisted = false;
    } catch (error) {
      signal.throwIfAborted();
      if (client.state.kind !== 'online') throw error;
      log.warn('own keys not published', { error });
      this.#isUnlisted = true;
    }
  }

  /** An archive that cannot be read keeps nobody from what comes live. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const { client, direct, log } = this.#deps;
    try {
      await direct.catchUp();
    } catch (error) {
      signal.throwIfAborted();
      if (client.state.kind !== 'online') throw error;
      log.warn('archive not read', { error });
      this.#catchUpSoon();
      return;
    }
    this.#unread = 0;
  }

  /** As long as the session lasts, ever more slowly; setting it up reads the archive anyway. */
  #catchUpSoon(): void {
    const { clock, client, scope } = this.#deps;
    const session = this.#session;
    if (this.#readDueIn === session) return;
    this.#readDueIn = session;
    const delayMs = backoffDelay(this.#unread, RETRY, () => client.jitter());
    this.#unread += 1;
    scope.spawn('read archive', async (signal) => {
      await clock.sleep(delayMs, signal);
      if (session !== this.#session) return;
      this.#readDueIn = null;
      if (this.#setUpSession === session) await this.#catchUp(signal);
      else this.#catchUpSoon();
    });
  }

  /** Reading an archive uses up many prekeys: the bundle is published once for all of them. */
  #careSoon(): void {
    if (this.#isCareDue) return;
    this.#isCareDue = true;
    this.#deps.scope.spawn('care for keys', async (signal) => {
      await this.#deps.clock.sleep(CARE_MS, signal);
      this.#isCareDue = false;
      await this.#careForKeys(signal);
    });
  }

  async #careForKeys(signal: AbortSignal): Promise<void> {
    const { omemo, directory, client } = this.#deps;
    if (await omemo.careForKeys(signal)) this.#isBundleStale = true;
    if (!this.#isBundleStale || client.state.kind !== 'online' || this.#isRetired) return;
    await directory.publishOwn(client.jid, omemo.deviceId, omemo.bundle(), signal);
    this.#isBundleStale = false;
  }

  #listChanged(jid: Parameters<DeviceDirectory['learn']>[0], deviceIds: readonly number[]): void {
    const { directory, client, omemo, scope, outgoing, people, devices } = this.#deps;
    if (directory.learn(jid, deviceIds)) {
      outgoing.keysChanged();
      people.poke();
    }
    if (jid !== client.jid || deviceIds.includes(omemo.deviceId) || devices.isEnded || this.#isRetired) return;
    // Another client of ours published a list without this device: it puts itself back.
    this.#isUnlisted = true;
    scope.spawn('list own device', (signal) => this.#listOwn(signal));
  }

  /** Again until it is done; what a broken connection keeps from being done now is done in the next one. */
  async #listOwn(signal: AbortSignal): Promise<void> {
    const { directory, client, omemo, devices, clock, log } = this.#deps;
    this.#listing += 1;
    const listing = this.#listing;
    for (let attempt = 0; listing === this.#listing && client.state.kind === 'online'; attempt += 1) {
      if (!this.#isUnlisted || devices.isEnded || this.#isCopied) return;
      try {
        await directory.publishOwn(client.jid, omemo.deviceId, omemo.bundle(), signal);
        this.#isUnlisted = false;
        if (this.#setUpSession === this.#session) this.#first.resolve();
      } catch (error) {
        signal.throwIfAborted();
        log.warn('own device not listed', { error });
        this.#noteFailure(error);
        const delayMs = backoffDelay(attempt, RETRY, () => client.jitter());
        await clock.sleep(delayMs, signal);
      }
    }
  }
}

/** The state of the account as people see it. */
export function viewAccountState(client: XmppClient): {
  state: 'connecting' | 'online' | 'offline' | 'failed';
  error: AppError | null;
} {
  const { state } = client;
  return { state: state.kind, error: state.kind === 'offline' || state.kind === 'failed' ? state.error : null };
}
