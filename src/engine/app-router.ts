import { implement } from '@orpc/server';
import type { Logger } from '../base/log.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { appContract } from '../contract/app.ts';
import type { AppServices } from './app-services.ts';
import { browseFolder } from './browse-folder.ts';
import type { EventLog } from './event-log.ts';
import type { ProfileCalls } from './profile-calls.ts';
import { toRpcError } from './rpc-error.ts';

/** The engine's own facts, which no service knows. */
export interface EngineHost {
  readonly version: string;
  readonly pid: number;
  /** The address that opens the UI, with its token. */
  readonly url: () => string;
  /** The person's home: the path picker never leaves it. */
  readonly home: string;
  /** Ends the engine soon after the answer is on its way. */
  readonly shutDown: () => void;
}

interface RouterDeps {
  readonly services: AppServices;
  readonly events: EventLog;
  readonly host: EngineHost;
  readonly profiles: ProfileCalls;
  readonly log: Logger;
}

const os = implement(appContract);
const DONE = { ok: true as const };

/** Joins the contract of UI and command line to the services. */
export function createAppRouter(deps: RouterDeps) {
  const { services } = deps;
  return os.router({
    account: accountRouter(services.account),
    people: peopleRouter(services.people),
    spheres: sphereRouter(services.spheres),
    items: itemRouter(services.items),
    messages: {
      list: os.messages.list.handler(({ input, signal }) => services.messages.list(input, given(signal))),
      say: os.messages.say.handler(({ input, signal }) => services.messages.say(input, given(signal))),
      text: os.messages.text.handler(({ input, signal }) => services.messages.text(input, given(signal))),
      edit: os.messages.edit.handler(({ input, signal }) => services.messages.edit(input, given(signal))),
      retract: os.messages.retract.handler(({ input, signal }) => services.messages.retract(input, given(signal))),
      react: os.messages.react.handler(({ input, signal }) => services.messages.react(input, given(signal))),
      typing: os.messages.typing.handler(({ input, signal }) => services.messages.typing(input, given(signal))),
      comments: os.messages.comments.handler(({ input, signal }) => services.messages.comments(input, given(signal))),
      retry: os.messages.retry.handler(({ input, signal }) => services.messages.retry(input, given(signal))),
      remove: os.messages.remove.handler(({ input, signal }) => services.messages.remove(input, given(signal))),
      search: os.messages.search.handler(({ input, signal }) => services.messages.search(input, given(signal))),
    },
    transfers: {
      limits: os.transfers.limits.handler(({ signal }) => services.transfers.limits(given(signal))),
      setLimits: os.transfers.setLimits.handler(({ input, signal }) =>
        services.transfers.setLimits(input, given(signal)),
      ),
      pauseAll: os.transfers.pauseAll.handler(({ signal }) => services.transfers.pauseAll(given(signal))),
      resumeAll: os.transfers.resumeAll.handler(({ signal }) => services.transfers.resumeAll(given(signal))),
    },
    settings: {
      get: os.settings.get.handler(({ signal }) => services.settings.get(given(signal))),
      set: os.settings.set.handler(({ input, signal }) => services.settings.set(input, given(signal))),
    },
    network: {
      place: os.network.place.handler(({ signal }) => services.network.place(given(signal))),
      setPublic: os.network.setPublic.handler(({ input, signal }) => services.network.setPublic(input, given(signal))),
    },
    doctor: {
      check: os.doctor.check.handler(async ({ input, signal }) =>
        translated(await services.doctor.check(input, given(signal)), deps.log),
      ),
    },
    profiles: profileRouter(deps.profiles),
    system: systemRouter(deps),
  });
}

function accountRouter(account: AppServices['account']) {
  return {
    signIn: os.account.signIn.handler(({ input, signal }) => account.signIn(input, given(signal))),
    move: os.account.move.handler(({ input, signal }) => account.move(input, given(signal))),
    export: os.account.export.handler(({ input, signal }) => account.export(input, given(signal))),
    signOut: os.account.signOut.handler(({ signal }) => account.signOut(given(signal))),
    changePassword: os.account.changePassword.handler(({ input, signal }) =>
      account.changePassword(input, given(signal)),
    ),
    delete: os.account.delete.handler(({ input, signal }) => account.delete(input, given(signal))),
    kit: os.account.kit.handler(({ input, signal }) => account.kit(input, given(signal))),
    setProfile: os.account.setProfile.handler(({ input, signal }) => account.setProfile(input, given(signal))),
    renameDevice: os.account.renameDevice.handler(({ input, signal }) => account.renameDevice(input, given(signal))),
    stay: os.account.stay.handler(({ signal }) => account.stay(given(signal))),
    removeDevice: os.account.removeDevice.handler(({ input, signal }) => account.removeDevice(input, given(signal))),
    confirmDevice: os.account.confirmDevice.handler(({ input, signal }) => account.confirmDevice(input, given(signal))),
    readWarning: os.account.readWarning.handler(({ input, signal }) => account.readWarning(input, given(signal))),
  };
}

function peopleRouter(people: AppServices['people']) {
  return {
    list: os.people.list.handler(({ signal }) => people.list(given(signal))),
    add: os.people.add.handler(({ input, signal }) => people.add(input, given(signal))),
    open: os.people.open.handler(({ input, signal }) => people.open(input, given(signal))),
    rename: os.people.rename.handler(({ input, signal }) => people.rename(input, given(signal))),
    remove: os.people.remove.handler(({ input, signal }) => people.remove(input, given(signal))),
    decline: os.people.decline.handler(({ input, signal }) => people.decline(input, given(signal))),
    chooseDevice: os.people.chooseDevice.handler(({ input, signal }) => people.chooseDevice(input, given(signal))),
    follow: os.people.follow.handler(({ input, signal }) => people.follow(input, given(signal))),
    block: os.people.block.handler(({ input, signal }) => people.block(input, given(signal))),
    unblock: os.people.unblock.handler(({ input, signal }) => people.unblock(input, given(signal))),
    numbers: os.people.numbers.handler(({ input, signal }) => people.numbers(input, given(signal))),
    verify: os.people.verify.handler(({ input, signal }) => people.verify(input, given(signal))),
    fingerprints: os.people.fingerprints.handler(({ input, signal }) => people.fingerprints(input, given(signal))),
    compare: os.people.compare.handler(({ input, signal }) => people.compare(input, given(signal))),
    markRead: os.people.markRead.handler(({ input, signal }) => people.markRead(input, given(signal))),
  };
}

function sphereRouter(spheres: AppServices['spheres']) {
  return {
    create: os.spheres.create.handler(({ input, signal }) => spheres.create(input, given(signal))),
    withPerson: os.spheres.withPerson.handler(({ input, signal }) => spheres.withPerson(input, given(signal))),
    list: os.spheres.list.handler(({ signal }) => spheres.list(given(signal))),
    members: os.spheres.members.handler(({ input, signal }) => spheres.members(input, given(signal))),
    invite: os.spheres.invite.handler(({ input, signal }) => spheres.invite(input, given(signal))),
    remove: os.spheres.remove.handler(({ input, signal }) => spheres.remove(input, given(signal))),
    heldBy: os.spheres.heldBy.handler(({ input, signal }) => spheres.heldBy(input, given(signal))),
    setRole: os.spheres.setRole.handler(({ input, signal }) => spheres.setRole(input, given(signal))),
    setLimits: os.spheres.setLimits.handler(({ input, signal }) => spheres.setLimits(input, given(signal))),
    watchFolder: os.spheres.watchFolder.handler(({ input, signal }) => spheres.watchFolder(input, given(signal))),
    moveFolder: os.spheres.moveFolder.handler(({ input, signal }) => spheres.moveFolder(input, given(signal))),
    cancelFolderMove: os.spheres.cancelFolderMove.handler(({ input, signal }) =>
      spheres.cancelFolderMove(input, given(signal)),
    ),
    changeOwner: os.spheres.changeOwner.handler(({ input, signal }) => spheres.changeOwner(input, given(signal))),
    readWithheld: os.spheres.readWithheld.handler(({ input, signal }) => spheres.readWithheld(input, given(signal))),
    continue: os.spheres.continue.handler(({ input, signal }) => spheres.continue(input, given(signal))),
    rename: os.spheres.rename.handler(({ input, signal }) => spheres.rename(input, given(signal))),
    setPicture: os.spheres.setPicture.handler(({ input, signal }) => spheres.setPicture(input, given(signal))),
    move: os.spheres.move.handler(({ input, signal }) => spheres.move(input, given(signal))),
    forget: os.spheres.forget.handler(({ input, signal }) => spheres.forget(input, given(signal))),
    leave: os.spheres.leave.handler(({ input, signal }) => spheres.leave(input, given(signal))),
    invitations: os.spheres.invitations.handler(({ signal }) => spheres.invitations(given(signal))),
    join: os.spheres.join.handler(({ input, signal }) => spheres.join(input, given(signal))),
    decline: os.spheres.decline.handler(({ input, signal }) => spheres.decline(input, given(signal))),
    markRead: os.spheres.markRead.handler(({ input, signal }) => spheres.markRead(input, given(signal))),
  };
}

function itemRouter(items: AppServices['items']) {
  return {
    list: os.items.list.handler(({ input, signal }) => items.list(input, given(signal))),
    share: os.items.share.handler(({ input, signal }) => items.share(input, given(signal))),
    paste: os.items.paste.handler(({ input, signal }) => items.paste(input, given(signal))),
    cancelShare: os.items.cancelShare.handler(({ input, signal }) => items.cancelShare(input, given(signal))),
    get: os.items.get.handler(({ input, signal }) => items.get(input, given(signal))),
    files: os.items.files.handler(({ input, signal }) => items.files(input, given(signal))),
    playback: os.items.playback.handler(({ input, signal }) => items.playback(input, given(signal))),
    keepPosition: os.items.keepPosition.handler(({ input, signal }) => items.keepPosition(input, given(signal))),
    openElsewhere: os.items.openElsewhere.handler(({ input, signal }) => items.openElsewhere(input, given(signal))),
    showInFolder: os.items.showInFolder.handler(({ input, signal }) => items.showInFolder(input, given(signal))),
    pause: os.items.pause.handler(({ input, signal }) => items.pause(input, given(signal))),
    resume: os.items.resume.handler(({ input, signal }) => items.resume(input, given(signal))),
    remove: os.items.remove.handler(({ input, signal }) => items.remove(input, given(signal))),
    restore: os.items.restore.handler(({ input, signal }) => items.restore(input, given(signal))),
    openToPrograms: os.items.openToPrograms.handler(({ input, signal }) => items.openToPrograms(input, given(signal))),
    closeToPrograms: os.items.closeToPrograms.handler(({ input, signal }) =>
      items.closeToPrograms(input, given(signal)),
    ),
    shareVersion: os.items.shareVersion.handler(({ input, signal }) => items.shareVersion(input, given(signal))),
    keepEdited: os.items.keepEdited.handler(({ input, signal }) => items.keepEdited(input, given(signal))),
    setLimits: os.items.setLimits.handler(({ input, signal }) => items.setLimits(input, given(signal))),
    setPriority: os.items.setPriority.handler(({ input, signal }) => items.setPriority(input, given(signal))),
    holders: os.items.holders.handler(({ input, signal }) => items.holders(input, given(signal))),
    recheck: os.items.recheck.handler(({ input, signal }) => items.recheck(input, given(signal))),
  };
}

function profileRouter(profiles: ProfileCalls) {
  const { list } = profiles;
  return {
    list: os.profiles.list.handler(() => profiles.all()),
    add: os.profiles.add.handler(({ input }) => profiles.add(input.name)),
    setListed: os.profiles.setListed.handler(({ input }) => list.setListed(input.id, input.on).then(() => DONE)),
    setStartsWithLast: os.profiles.setStartsWithLast.handler(({ input }) =>
      list.setStartsWithLast(input.on).then(() => DONE),
    ),
    open: os.profiles.open.handler(({ input, signal }) => profiles.open(input.id, given(signal))),
  };
}

function systemRouter({ services, events, host, log }: RouterDeps) {
  const { system } = services;
  return {
    status: os.system.status.handler(async ({ signal }) => {
      const { account, swarm } = await services.snapshot(given(signal));
      return { version: host.version, pid: host.pid, url: host.url(), account, swarm };
    }),
    snapshot: os.system.snapshot.handler(async ({ signal }) => {
      // The number is taken first: an event seen in both snapshot and stream does no harm, a missed one does.
      const seq = events.seq;
      return { ...(await services.snapshot(given(signal))), seq, version: host.version };
    }),
    events: os.system.events.handler(({ input, signal }) => translated(events.since(input.since, given(signal)), log)),
    looking: os.system.looking.handler(({ signal }) => lookOn(services.onlookers, given(signal))),
    browse: os.system.browse.handler(({ input, signal }) => browseFolder(host.home, input.path, given(signal))),
    sync: os.system.sync.handler(({ signal }) => system.sync(given(signal))),
    exportLog: os.system.exportLog.handler(({ input, signal }) => system.exportLog(input, given(signal))),
    onlyCopies: os.system.onlyCopies.handler(({ signal }) => system.onlyCopies(given(signal))),
    shutDown: os.system.shutDown.handler(() => {
      host.shutDown();
      return { ok: true as const };
    }),
  };
}

async function lookOn(onlookers: AppServices['onlookers'], signal: AbortSignal): Promise<typeof DONE> {
  using _look = onlookers.begin();
  return await untilAborted(signal);
}

/** Failures inside a stream do not pass the interceptors, so they are translated here. */
async function* translated<T>(events: AsyncIterable<T>, log: Logger): AsyncGenerator<T, void, void> {
  try {
    yield* events;
  } catch (error) {
    throw toRpcError(error, log);
  }
}

/** The transport always gives a signal; a direct call in a test may not. */
function given(signal: AbortSignal | undefined): AbortSignal {
  return signal ?? new AbortController().signal;
}
