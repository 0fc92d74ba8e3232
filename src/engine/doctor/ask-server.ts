import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { RandomBytes } from '../../base/random.ts';
import type { ServerFacts } from '../../contract/doctor.ts';
import { ABILITY_NAMES, type ServerAbility } from '../../contract/server-abilities.ts';
import type { XmppClient } from '../../xmpp/client.ts';
import { askServer as askProfile, findRoomService, type ServerProfile } from '../../xmpp/features.ts';
import { findServerRecords, type SrvResolver } from '../../xmpp/server-address.ts';
import type { ConnectionTraits } from '../../xmpp/session.ts';
import type { TrialNote } from '../../xmpp/trial-room.ts';
import { tryRoom } from '../../xmpp/trial-room.ts';
import { readNodeConfig } from '../../xmpp/xep/0060-pubsub.ts';
import { askServerTime } from '../../xmpp/xep/0202-entity-time.ts';
import { askExternalServices } from '../../xmpp/xep/0215-external-services.ts';
import { DEVICE_LIST_NODE } from '../../xmpp/xep/0384-omemo.ts';
import { inTime } from './in-time.ts';

interface AskServerDeps {
  readonly client: XmppClient;
  /** Where the person said the server is, instead of what the domain's records say. */
  readonly named: string | null;
  /** Of rooms that the check makes. */
  readonly note: TrialNote;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly resolver?: SrvResolver;
}

type Abilities = Partial<Record<ServerAbility, boolean | null>>;

/** Seven questions, one after the other, on a line that may be slow. */
const TRIAL_MS = 15_000;

const FEATURES = {
  'publish-options': 'http://jabber.org/protocol/pubsub#publish-options',
  archive: 'urn:xmpp:mam:2',
  carbons: 'urn:xmpp:carbons:2',
  blocking: 'urn:xmpp:blocking',
  'account-changes': 'jabber:iq:register',
} as const satisfies Partial<Record<ServerAbility, string>>;

/** What the server is like and what it can do; null when there is no connection to ask on. */
export async function askServer(deps: AskServerDeps, signal: AbortSignal): Promise<ServerFacts | null> {
  const { client } = deps;
  const { connection } = client;
  if (connection === null) return null;
  const [time, profile, rooms, keys, records, helpers] = await Promise.all([
    inTime(deps, signal, (limited) => askServerTime(client, deps.clock, limited)),
    inTime(deps, signal, (limited) => askProfile(client, limited)),
    askRooms(deps, signal),
    inTime(deps, signal, (limited) => readNodeConfig(client, DEVICE_LIST_NODE, limited)),
    askRecords(deps, signal),
    inTime(deps, signal, (limited) => askExternalServices(client, limited)),
  ]);
  const known: Abilities = {
    ...ofConnection(connection),
    ...ofProfile(profile),
    ...rooms,
    ...records,
    // A server that knows how to name some may have none to name.
    relays: helpers === undefined ? null : helpers.length > 0,
    'open-keys': keys === undefined ? null : isOpen(keys),
    time: time === undefined ? null : time.aheadMs !== null,
  };
  const has = (name: ServerAbility): boolean => known[name] === true;
  const { tls, resumes } = connection;
  return {
    tls,
    resumes,
    software: profile?.software?.slice(0, 100) ?? null,
    roundTripMs: time?.roundTripMs ?? null,
    clockAheadMs: time?.aheadMs ?? null,
    abilities: ABILITY_NAMES.map((name) => ({ name, has: known[name] ?? null })),
    features:
      profile === undefined || rooms.rooms === null
        ? null
        : {
            rooms: has('rooms'),
            personalNodes: has('personal-nodes'),
            archive: has('archive'),
            carbons: has('carbons'),
            helpers: has('relays'),
          },
  };
}

function ofConnection({ tls, resumes, mechanism, heedsState }: ConnectionTraits): Abilities {
  const signedIn = mechanism === '' ? null : mechanism;
  return {
    encryption: tls !== null,
    resumption: resumes,
    'client-state': heedsState,
    scram: signedIn?.startsWith('SCRAM-') ?? null,
    'channel-binding': signedIn?.endsWith('-PLUS') ?? null,
  };
}

function ofProfile(profile: ServerProfile | undefined): Abilities {
  if (profile === undefined) return {};
  const told = Object.entries(FEATURES).map(([name, feature]) => [name, profile.features.has(feature)] as const);
  return { ...Object.fromEntries(told), 'personal-nodes': profile.pep };
}

async function askRooms(deps: AskServerDeps, signal: AbortSignal): Promise<Abilities> {
  const service = await inTime(deps, signal, async (limited) => {
    return { address: await findRoomService(deps.client, limited) };
  });
  if (service === undefined) return { rooms: null };
  const { address } = service;
  if (address === undefined) return { rooms: false, 'closed-rooms': false, 'room-archive': false };
  const trial = await inTime(deps, signal, (limited) => tryRoom(deps, address, limited), TRIAL_MS);
  return { rooms: true, 'closed-rooms': trial?.closed ?? null, 'room-archive': trial?.archive ?? null };
}

/** A server that was named by hand is not the one of the records. */
async function askRecords({ client, named, ...deps }: AskServerDeps, signal: AbortSignal): Promise<Abilities> {
  if (named !== null) return {};
  const records = await findServerRecords(client.domain, deps, signal);
  return {
    'starttls-record': records.some(({ directTls }) => !directTls),
    'direct-tls-record': records.some(({ directTls }) => directTls),
  };
}

/** XEP-0384 §4.2: everybody has to be able to read which devices we have, also after a restart of the server. */
function isOpen(config: ReadonlyMap<string, string>): boolean {
  const persists = config.get('pubsub#persist_items') ?? 'true';
  return config.get('pubsub#access_model') === 'open' && ['1', 'true'].includes(persists);
}
