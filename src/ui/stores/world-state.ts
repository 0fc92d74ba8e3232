import type { ContactView, PictureView } from '../../contract/people.ts';
import type {
  AccountView,
  AppEvent,
  InvitationView,
  ItemView,
  LimitsView,
  ShareJobView,
  Snapshot,
  SphereView,
  SwarmView,
} from '../../contract/views.ts';

/** All facts the engine told us, except messages. */
export interface WorldState {
  /** A snapshot has come. */
  loaded: boolean;
  version: string;
  account: AccountView | null;
  readonly spheres: Map<string, SphereView>;
  readonly invitations: Map<string, InvitationView>;
  /** By address. */
  readonly people: Map<string, ContactView>;
  /** Addresses of what people look like, by their own. */
  readonly pictures: Map<string, string>;
  readonly items: Map<string, ItemView>;
  /** Taken off the list on this device, and can be put back. */
  readonly removed: Map<string, ItemView>;
  readonly jobs: Map<string, ShareJobView>;
  /** Names of those who are writing, by conversation. */
  readonly typing: Map<string, readonly string[]>;
  swarm: SwarmView;
  limits: LimitsView;
}

export function emptyWorld(): WorldState {
  return {
    loaded: false,
    version: '',
    account: null,
    spheres: new Map(),
    invitations: new Map(),
    people: new Map(),
    pictures: new Map(),
    items: new Map(),
    removed: new Map(),
    jobs: new Map(),
    typing: new Map(),
    swarm: { state: 'starting', port: 0, downBps: 0, upBps: 0, paused: false, mapped: null, peers: 0 },
    limits: { up: 0, down: 0 },
  };
}

function refill<T extends { readonly id: string }>(map: Map<string, T>, values: readonly T[]): void {
  map.clear();
  for (const value of values) map.set(value.id, value);
}

/** Forgets everything before. */
export function applySnapshot(world: WorldState, snapshot: Snapshot): void {
  world.version = snapshot.version;
  world.account = snapshot.account;
  refill(world.spheres, snapshot.spheres);
  refill(world.invitations, snapshot.invitations);
  world.people.clear();
  for (const person of snapshot.people) world.people.set(person.jid, person);
  world.pictures.clear();
  for (const picture of snapshot.pictures) putPicture(world, picture);
  refill(
    world.items,
    snapshot.items.filter(({ undoUntilMs }) => undoUntilMs === null),
  );
  refill(
    world.removed,
    snapshot.items.filter(({ undoUntilMs }) => undoUntilMs !== null),
  );
  refill(world.jobs, snapshot.jobs);
  world.typing.clear();
  world.swarm = snapshot.swarm;
  world.limits = snapshot.limits;
  world.loaded = true;
}

function removeSphere(world: WorldState, sphereId: string): void {
  world.spheres.delete(sphereId);
  for (const map of [world.items, world.removed, world.jobs]) {
    for (const [id, entry] of map) {
      if (entry.sphereId === sphereId) map.delete(id);
    }
  }
}

function putItem(world: WorldState, item: ItemView): void {
  const [here, there] = item.undoUntilMs === null ? [world.items, world.removed] : [world.removed, world.items];
  there.delete(item.id);
  here.set(item.id, item);
}

/** What came without its files had them before. One that is unknown was told by an event that is on its way again. */
function progressItem(world: WorldState, item: Omit<ItemView, 'files'>): void {
  const known = world.items.get(item.id) ?? world.removed.get(item.id);
  if (known !== undefined) putItem(world, { ...item, files: known.files });
}

function putPicture({ pictures }: WorldState, { jid, url }: PictureView): void {
  if (url === null) pictures.delete(jid);
  else pictures.set(jid, url);
}

/** Applying a fact twice does no harm. */
export function applyEvent(world: WorldState, event: AppEvent): void {
  switch (event.kind) {
    case 'account':
      world.account = event.account;
      break;
    case 'sphere':
      world.spheres.set(event.sphere.id, event.sphere);
      break;
    case 'sphere-removed':
      removeSphere(world, event.sphereId);
      break;
    case 'invitation':
      world.invitations.set(event.invitation.id, event.invitation);
      break;
    case 'invitation-removed':
      world.invitations.delete(event.id);
      break;
    case 'typing':
      if (event.people.length === 0) world.typing.delete(event.sphereId);
      else world.typing.set(event.sphereId, event.people);
      break;
    case 'contact':
      world.people.set(event.contact.jid, event.contact);
      break;
    case 'contact-removed':
      world.people.delete(event.jid);
      break;
    case 'picture':
      putPicture(world, event);
      break;
    case 'item':
      putItem(world, event.item);
      break;
    case 'item-progress':
      progressItem(world, event.item);
      break;
    case 'job':
      world.jobs.set(event.job.id, event.job);
      break;
    case 'swarm':
      world.swarm = event.swarm;
      break;
    case 'limits':
      world.limits = event.limits;
      break;
    case 'item-removed':
      world.items.delete(event.itemId);
      world.removed.delete(event.itemId);
      break;
    case 'message':
    case 'message-removed':
    case 'notice':
      // Messages have their own store, notices are shown once and kept nowhere.
      break;
  }
}
