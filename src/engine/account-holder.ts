import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { readServerInvitation } from '../base/xmpp-uri.ts';
import { SerialQueue } from '../base/queue.ts';
import type { Omemo } from '../omemo/omemo.ts';
import { Comeback } from '../spheres/comeback.ts';
import type { PortraitTools } from '../people/portraits.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import { exportPkcs8 } from '../spheres/protocol/keys.ts';
import type { RecoveryKit } from '../spheres/protocol/recovery-kit.ts';
import { readKit } from '../spheres/protocol/recovery-kit.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { AccountRow } from '../storage/account-table.ts';
import { createSecretBox } from '../storage/secret-box.ts';
import type { Storage } from '../storage/storage.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { openStorage } from '../storage/storage.ts';
import type { XmppLogin } from '../xmpp/login.ts';
import { registerAccount } from '../xmpp/register.ts';
import { retractMoved } from '../xmpp/xep/0283-moved.ts';
import { changePassword, removeOwnAccount } from '../xmpp/xep/0077-own-account.ts';
import { accountFolder } from './account-folder.ts';
import { AccountSession } from './account-session.ts';
import { leaveAccount } from './leave-account.ts';
import { loginOf, parseServer } from './login-of.ts';
import { proveAccount } from './prove-account.ts';
import { followNotices } from './notices.ts';
import type { Onlookers } from './onlookers.ts';
import { becomeNewDevice, becomePerson, openIdentity, recoveryKeyOf } from './own-identity.ts';
import { readSmallFile } from './read-small-file.ts';
import { noteMoved, noteSignedIn, readSignedIn } from './signed-in.ts';
import { renameAccount } from './rename-account.ts';
import { requireSettled } from './require-settled.ts';
import type { ServicesDeps } from './start-engine.ts';
import { Warnings } from './warnings.ts';
import type { ViewSource } from './view-source.ts';

interface AccountHolderDeps extends ServicesDeps {
  readonly feed: SwarmFeed;
  readonly mediaTools: MediaTools & PortraitTools;
  readonly files: ManyFiles;
  readonly views: ViewSource;
  readonly onlookers: Onlookers;
  readonly openOmemo: typeof Omemo.open;
}

export interface SignIn {
  readonly jid: BareJid;
  readonly password: string;
  readonly register: boolean;
  readonly invitation?: string | undefined;
  readonly server?: string | undefined;
  readonly caFile?: string | undefined;
  /** The person's recovery kit, as it was typed or read by a camera: this becomes a device of theirs. */
  readonly kit?: string | undefined;
  /** With `kit`: all devices that the person had before are gone, and are ended. */
  readonly endsOthers?: boolean | undefined;
}

/** `isLost`: the account until now cannot be reached any more. */
export interface Move extends Omit<SignIn, 'kit' | 'endsOthers'> {
  readonly isLost: boolean;
}

/** Holds the session of the one account of this profile, over signing in, restarts and signing out. */
export class AccountHolder implements AsyncDisposable {
  readonly #deps: AccountHolderDeps;
  readonly #queue = new SerialQueue();
  #session: AccountSession | null = null;
  #unfollow: () => void = () => undefined;

  constructor(deps: AccountHolderDeps) {
    this.#deps = deps;
  }

  /** null while nobody is signed in, or the session is set up anew. */
  get current(): AccountSession | null {
    return this.#session;
  }

  /** `no-account` when nobody is signed in. */
  get session(): AccountSession {
    if (this.#session === null) throw new AppError('no-account', 'nobody is signed in');
    return this.#session;
  }

  /** Goes on with the account of the last run, without waiting for the network. */
  resume(): Promise<void> {
    return this.#queue.run(() => this.#restore());
  }

  signIn(input: SignIn, signal: AbortSignal): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#session !== null && this.#session.own !== input.jid) {
        throw new AppError('account-exists', 'sign out of the other account first');
      }
      const account = await accountOf(input);
      const login = loginOf(account);
      const kit = kitOf(input);
      const { clock, random, log } = this.#deps;
      if (input.register) await registerAccount({ ...login, token: tokenOf(input) }, { clock, random, log }, signal);
      await this.#close();
      try {
        await this.#enter(account, login, kit, signal);
      } catch (error) {
        // What the session that failed told the swarm concerns nobody.
        await this.#deps.feed.setIdentity(null);
        await this.#restoreQuietly();
        throw error;
      }
    });
  }

  /** Forgets the password; spheres and messages stay for when the person comes back. */
  signOut(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#session === null) throw new AppError('no-account', 'nobody is signed in');
      this.#session.storage.account.remove();
      await this.#close();
      await noteSignedIn(this.#deps.profile.accountsFolder, null);
    });
  }

  /** Changes the password at the server and here. `wrong-password` when `current` is not the one we sign in with. */
  changePassword(input: { current: string; password: string }, signal: AbortSignal): Promise<void> {
    return this.#queue.run(async () => {
      const { client, storage } = this.session;
      const account = this.#provenAccount(input.current);
      await changePassword(client, input.password, signal);
      storage.account.put({ ...account, password: input.password });
      client.usePassword(input.password);
    });
  }

  /** What makes another computer one of this person's. `wrong-password` when it is not the one we sign in with. */
  makeKit(password: string): Promise<RecoveryKit> {
    return this.#queue.run(() => {
      const { random } = this.#deps;
      const { identity } = this.session.storage;
      const { jid, server } = this.#provenAccount(password);
      const recoveryKey = recoveryKeyOf(identity, random);
      // There may not have been one before.
      this.session.vault.begin();
      return Promise.resolve({ jid, server, person: openIdentity(identity, random).person, recoveryKey });
    });
  }

  /**
   * Goes on with another account as the same person and device. Until everything is told the old one is the one in use, and
   * whatever fails leaves it so.
   */
  move(input: Move, signal: AbortSignal): Promise<void> {
    return this.#queue.run(async () => {
      const { session } = this;
      const { clock, random, log } = this.#deps;
      if (session.own === input.jid) throw new AppError('conflict', 'this is our own address');
      const account = await accountOf(input);
      const login = loginOf(account);
      if (!input.isLost) requireSettled(session.storage);
      await this.#requireNobody(input.jid);
      if (input.register) await registerAccount({ ...login, token: tokenOf(input) }, { clock, random, log }, signal);
      const prove = (limited: AbortSignal): Promise<void> => proveAccount({ login, clock, random, log }, limited);
      await leaveAccount({ session, prove }, { to: input.jid, isLost: input.isLost }, signal);
      await this.#close();
      const { accountsFolder } = this.#deps.profile;
      try {
        await renameAccount({ accountsFolder, openStorage: (jid) => this.#openStorage(jid) }, session.own, account);
      } catch (error) {
        await this.#restoreQuietly();
        throw error;
      }
      await this.#restore();
    });
  }

  /** Takes a move back that is not at its end. `conflict` when there is none. */
  stay(signal: AbortSignal): Promise<void> {
    return this.#queue.run(async () => {
      const { client, move, own } = this.session;
      if (move.goingTo === null) throw new AppError('conflict', 'this is the address in all spheres');
      await retractMoved(client, signal);
      await move.say(own, signal);
    });
  }

  /** Removes the account from its server for good, and signs out. What is on this computer stays. */
  deleteAccount(input: { password: string }, signal: AbortSignal): Promise<void> {
    return this.#queue.run(async () => {
      const { client, storage } = this.session;
      this.#provenAccount(input.password);
      await removeOwnAccount(client, signal);
      storage.account.remove();
      await this.#close();
      await noteSignedIn(this.#deps.profile.accountsFolder, null);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.run(() => this.#close());
  }

  /** Whoever finds the computer open must not take the account over. */
  #provenAccount(password: string): AccountRow {
    const account = this.session.storage.account.get();
    if (account?.password !== password) throw new AppError('wrong-password', 'this is not the password of the account');
    return account;
  }

  async #enter(account: AccountRow, login: XmppLogin, come: KitSignIn | null, signal: AbortSignal): Promise<void> {
    const storage = await this.#openStorage(account.jid);
    if (come !== null) this.#become(storage, come);
    const session = await this.#open(storage, login);
    try {
      await session.connect(signal);
      storage.account.put(account);
      await noteSignedIn(this.#deps.profile.accountsFolder, account.jid);
    } catch (error) {
      await session[Symbol.asyncDispose]();
      if (!session.online.isCopied) throw error;
      await this.#separate(account.jid);
      await this.#enter(account, login, null, signal);
      return;
    }
    await this.#adopt(session);
  }

  /** Another copy of this profile goes on with the device that this was: from now on this is one of its own. */
  async #separate(jid: BareJid): Promise<void> {
    const { random, clock, log } = this.#deps;
    using storage = await this.#openStorage(jid);
    storage.transaction(() => {
      becomeNewDevice(storage, random);
      Comeback.note(storage, { sinceMs: clock.now(), endsOthers: false });
      Warnings.add(storage, 'copied-profile');
    });
    log.warn('a copy of this profile is in use: this is a new device from now on', {});
  }

  /** The session is set up anew, and stays the account's meanwhile for nobody. */
  async #startSeparated(copied: AccountSession): Promise<void> {
    if (this.#session !== copied) return;
    await this.#close();
    await this.#separate(copied.own);
    await this.#restore();
  }

  #become(storage: Storage, { kit, endsOthers }: KitSignIn): void {
    const { random, clock } = this.#deps;
    try {
      storage.transaction(() => {
        if (becomePerson(storage, kit, random)) Comeback.note(storage, { sinceMs: clock.now(), endsOthers });
      });
    } catch (error) {
      storage[Symbol.dispose]();
      throw error;
    }
  }

  /** What fails leaves whoever was signed in before as they were; its own failure is what is told. */
  async #restoreQuietly(): Promise<void> {
    try {
      await this.#restore();
    } catch (error) {
      this.#deps.log.error('former account not restored', { error });
    }
  }

  async #restore(): Promise<void> {
    const jid = await readSignedIn(this.#deps.profile.accountsFolder);
    if (jid === undefined) return;
    const storage = await this.#openStorage(jid);
    const account = storage.account.get();
    if (account?.jid !== jid) storage[Symbol.dispose]();
    if (account === undefined) return;
    if (account.jid !== jid) {
      // The program ended in the middle of a move.
      await noteMoved(this.#deps.profile.accountsFolder, jid, account.jid);
      return this.#restore();
    }
    const session = await this.#open(storage, loginOf(account));
    await this.#adopt(session);
    session.start();
  }

  async #open(storage: Storage, login: XmppLogin): Promise<AccountSession> {
    const { profile, config, feed, mediaTools, files, openOmemo, onlookers, clock, random, log } = this.#deps;
    try {
      return await AccountSession.open({
        login,
        storage,
        identity: openIdentity(storage.identity, random),
        openOmemo,
        feed,
        iceServers: config.swarm.iceServers,
        keepEverything: config.keepEverything,
        media: mediaTools,
        files,
        onlookers,
        accountFolder: this.#folder(login.jid),
        spheresFolder: profile.spheresFolder,
        clock,
        random,
        log,
      });
    } catch (error) {
      storage[Symbol.dispose]();
      throw error;
    }
  }

  async #adopt(session: AccountSession): Promise<void> {
    const { views, feed, config, clock, random, masterKey, log } = this.#deps;
    this.#session = session;
    const tell = (notice: Parameters<Parameters<typeof followNotices>[1]>[0]): void =>
      views.onEvent.emit({ kind: 'notice', ...notice });
    const copied = session.online.onCopied.on(() => {
      this.#queue.run(() => this.#startSeparated(session)).catch((error: unknown) => log.error('copy', { error }));
    });
    const stops = [views.follow(session), followNotices(session, tell, clock), copied];
    this.#unfollow = () => {
      for (const stop of stops) stop();
    };
    if (masterKey.isNew && masterKey.keptIn === 'file') tell({ code: 'secrets-in-file', params: {} });
    const { device } = openIdentity(session.storage.identity, random);
    const self = { deviceKey: device.id, devicePrivateKey: exportPkcs8(device) };
    const { dataPort, addresses, mapPorts, discoverLan, tracker, extraPorts } = config.swarm;
    await feed.setIdentity({ ...self, dataPort, addresses, mapPorts, discoverLan, tracker, extraPorts });
  }

  async #close(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    this.#session = null;
    this.#unfollow();
    this.#deps.media.withdrawAll();
    await session[Symbol.asyncDispose]();
    // After the session, whose last tasks may still tell the swarm something.
    await this.#deps.feed.setIdentity(null);
  }

  /** Whoever has spheres here under that account already is somebody else. */
  async #requireNobody(jid: BareJid): Promise<void> {
    if (!existsSync(this.#folder(jid))) return;
    using storage = await this.#openStorage(jid);
    if (storage.spheres.list().length > 0) throw new AppError('conflict', 'that account has spheres on this device');
  }

  #folder(jid: BareJid): string {
    return accountFolder(this.#deps.profile.accountsFolder, jid);
  }

  async #openStorage(jid: BareJid): Promise<Storage> {
    const { masterKey, clock, log, random } = this.#deps;
    const folder = this.#folder(jid);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const secretBox = createSecretBox({ masterKey: masterKey.key, random });
    return openStorage({ path: path.join(folder, 'spherecast.db'), secretBox, clock, log: log.child('storage') });
  }
}

interface KitSignIn {
  readonly kit: RecoveryKit;
  readonly endsOthers: boolean;
}

function kitOf({ jid, kit: typed, endsOthers }: SignIn): KitSignIn | null {
  if (typed === undefined) return null;
  const kit = readKit(typed);
  if (kit.jid !== jid) throw new AppError('kit-invalid', 'the kit is of another account');
  return { kit, endsOthers: endsOthers ?? false };
}

async function accountOf(input: SignIn): Promise<AccountRow> {
  const server = input.server?.trim();
  if (server !== undefined && server !== '') parseServer(server);
  const ca = input.caFile === undefined ? null : await readAuthority(input.caFile);
  return { jid: input.jid, password: input.password, server: server === '' ? null : (server ?? null), ca };
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readSmallFile(file, MAX_CA_BYTES);
  } catch (error) {
    // The person wrote the name; which one cannot be read is what they have to know.
    throw new AppError(errorCode(error), `the certificate file ${file} cannot be read`, {}, error);
  }
}

const MAX_CA_BYTES = 1024 * 1024;
/** What the server gave to whoever may make an account; undefined when nobody was invited. */
function tokenOf({ jid, invitation }: SignIn): string | undefined {
  if (invitation === undefined) return undefined;
  const read = readServerInvitation(invitation);
  const isForUs = read !== undefined && (read.jid ?? jid) === jid && jid.endsWith(`@${read.domain}`);
  if (!isForUs) throw new AppError('invitation-invalid', 'the invitation is for another server or address');
  return read.token;
}
