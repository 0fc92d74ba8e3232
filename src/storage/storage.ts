import { AccountTable } from './account-table.ts';
import { AttachmentTable } from './attachment-table.ts';
import { BlockedTable } from './blocked-table.ts';
import { ContactTable } from './contact-table.ts';
import type { Database, DatabaseDeps, Gathered, OnDisk } from './database.ts';
import { openDatabase } from './database.ts';
import { DirectMessageTable } from './direct-message-table.ts';
import { TalkPartTable } from './talk-part-table.ts';
import { TalkWordTable } from './talk-word-table.ts';
import { EpochTable } from './epoch-table.ts';
import { EventTable } from './event-table.ts';
import { GivenEventTable } from './given-event-table.ts';
import { HeardCounterTable } from './heard-counter-table.ts';
import { HolderTable } from './holder-table.ts';
import { IdentityTable } from './identity-table.ts';
import { InvitationTable } from './invitation-table.ts';
import { ItemTable } from './item-table.ts';
import { KnownDeviceTable } from './known-device-table.ts';
import { LogPageTable } from './log-page-table.ts';
import { MessageTable } from './message-table.ts';
import { OmemoTable } from './omemo-table.ts';
import { OutboxTable } from './outbox-table.ts';
import { OwnDeviceTable } from './own-device-table.ts';
import { PackTable } from './pack-table.ts';
import { PlaybackTable } from './playback-table.ts';
import { PortraitTable } from './portrait-table.ts';
import { ReachedTable } from './reached-table.ts';
import { SeenTable } from './seen-table.ts';
import { SettingTable } from './setting-table.ts';
import { ShareJobTable } from './share-job-table.ts';
import { SphereTable } from './sphere-table.ts';
import { VerifiedPersonTable } from './verified-person-table.ts';
import { WelcomeTable } from './welcome-table.ts';

/** One account's database with all of its tables. */
export class Storage implements Disposable {
  readonly settings: SettingTable;
  readonly account: AccountTable;
  readonly identity: IdentityTable;
  readonly omemo: OmemoTable;
  readonly knownDevices: KnownDeviceTable;
  readonly spheres: SphereTable;
  readonly events: EventTable;
  readonly logPages: LogPageTable;
  readonly attachments: AttachmentTable;
  readonly epochs: EpochTable;
  readonly outbox: OutboxTable;
  readonly ownDevices: OwnDeviceTable;
  readonly packs: PackTable;
  readonly items: ItemTable;
  readonly holders: HolderTable;
  readonly shareJobs: ShareJobTable;
  readonly givenEvents: GivenEventTable;
  readonly heardCounters: HeardCounterTable;
  readonly messages: MessageTable;
  readonly playback: PlaybackTable;
  readonly invitations: InvitationTable;
  readonly contacts: ContactTable;
  readonly blocked: BlockedTable;
  readonly directMessages: DirectMessageTable;
  readonly talkParts: TalkPartTable;
  readonly talkWords: TalkWordTable;
  readonly portraits: PortraitTable;
  readonly reached: ReachedTable;
  readonly seen: SeenTable;
  readonly verified: VerifiedPersonTable;
  readonly welcomes: WelcomeTable;
  readonly #database: Database;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.settings = new SettingTable(deps);
    this.account = new AccountTable(deps);
    this.identity = new IdentityTable(deps);
    this.omemo = new OmemoTable(deps);
    this.knownDevices = new KnownDeviceTable(deps);
    this.spheres = new SphereTable(deps);
    this.events = new EventTable(deps);
    this.logPages = new LogPageTable(deps);
    this.attachments = new AttachmentTable(deps);
    this.epochs = new EpochTable(deps);
    this.outbox = new OutboxTable(deps);
    this.ownDevices = new OwnDeviceTable(deps);
    this.packs = new PackTable(deps);
    this.items = new ItemTable(deps);
    this.holders = new HolderTable(deps);
    this.shareJobs = new ShareJobTable(deps);
    this.givenEvents = new GivenEventTable(deps);
    this.heardCounters = new HeardCounterTable(deps);
    this.messages = new MessageTable(deps);
    this.playback = new PlaybackTable(deps);
    this.invitations = new InvitationTable(deps);
    this.contacts = new ContactTable(deps);
    this.blocked = new BlockedTable(deps);
    this.directMessages = new DirectMessageTable(deps);
    this.talkParts = new TalkPartTable(deps);
    this.talkWords = new TalkWordTable(deps);
    this.portraits = new PortraitTable(deps);
    this.reached = new ReachedTable(deps);
    this.seen = new SeenTable(deps);
    this.verified = new VerifiedPersonTable(deps);
    this.welcomes = new WelcomeTable(deps);
  }

  /** Everything `work` writes is kept together or not at all; on return it is on the disk, unless that may come later. */
  transaction<T>(work: () => T, onDisk: OnDisk = 'now'): T {
    return this.#database.transaction(work, onDisk);
  }

  /** Like a transaction that may come to the disk later; all that are gathered without a pause end together. */
  gather<T>(work: () => T, begin: () => Gathered): T {
    return this.#database.gather(work, begin);
  }

  /** What was gathered is in the database from now on. */
  keep(): void {
    this.#database.keep();
  }

  /** How often what was gathered was lost. */
  get lost(): number {
    return this.#database.lost;
  }

  /** On return everything that was to be on the disk later is there: before anybody is told that we have it. */
  settle(): void {
    this.#database.settle();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

export function openStorage(deps: DatabaseDeps): Storage {
  return new Storage({ database: openDatabase(deps) });
}
