import { defineStore } from 'pinia';
import { computed, reactive, toRefs } from 'vue';
import type { BareJid } from '../../base/id.ts';
import type { AppEvent, ItemView, MemberView, ShareJobView, Snapshot, SphereView } from '../../contract/views.ts';
import { verifiedPeople } from '../chat/opens-links.ts';
import { applyEvent, applySnapshot, emptyWorld } from './world-state.ts';

/** The facts the engine told us, and the orders in which screens show them. */
export const useWorld = defineStore('world', () => {
  const state = reactive(emptyWorld());

  /** Beside whose talk the things of a sphere stand: they are on the list of people. */
  const personOf = ({ partner }: SphereView): BareJid | null =>
    partner !== null && state.people.has(partner) ? partner : null;
  const sphereList = computed(() =>
    Array.from(state.spheres.values())
      .filter((sphere) => personOf(sphere) === null)
      .sort((a, b) => b.lastActivityMs - a.lastActivityMs || a.name.localeCompare(b.name)),
  );
  const verified = computed(() => verifiedPeople(state.spheres.values()));
  /** In which we share with this person alone; seldom more than one. */
  const sharedWith = (jid: string): SphereView[] =>
    Array.from(state.spheres.values()).filter(({ partner }) => partner === jid);
  const invitations = computed(() => Array.from(state.invitations.values()).sort((a, b) => b.atMs - a.atMs));
  const invitationList = computed(() => invitations.value.filter(({ fromStranger }) => !fromStranger));
  const strangerInvitations = computed(() => invitations.value.filter(({ fromStranger }) => fromStranger));
  /** How many strangers want something. */
  const requestCount = computed(() => requestList.value.length + strangerInvitations.value.length);
  const byActivity = computed(() =>
    Array.from(state.people.values()).sort(
      (a, b) => b.lastActivityMs - a.lastActivityMs || a.name.localeCompare(b.name),
    ),
  );
  const personList = computed(() => byActivity.value.filter(({ standing }) => standing !== 'request'));
  /** People who are not on the list and want something. */
  const requestList = computed(() =>
    byActivity.value.filter(({ standing, wants, movedFrom }) => {
      return standing === 'request' || movedFrom !== null || (wants && standing !== 'contact');
    }),
  );
  const itemList = computed(() => Array.from(state.items.values()).sort((a, b) => b.atMs - a.atMs));
  const jobList = computed(() => Array.from(state.jobs.values()));
  const itemsOf = (sphereId: string): ItemView[] => itemList.value.filter((item) => item.sphereId === sphereId);
  const removedOf = (sphereId: string): ItemView[] =>
    Array.from(state.removed.values())
      .filter((item) => item.sphereId === sphereId)
      .sort((a, b) => (b.undoUntilMs ?? 0) - (a.undoUntilMs ?? 0));
  const jobsOf = (sphereId: string): ShareJobView[] => jobList.value.filter((job) => job.sphereId === sphereId);

  return {
    ...toRefs(state),
    applySnapshot: (snapshot: Snapshot) => applySnapshot(state, snapshot),
    applyEvent: (event: AppEvent) => applyEvent(state, event),
    personOf,
    verified,
    sphereList,
    sharedWith,
    memberAt: (jid: string) => memberAt(state.spheres.values(), jid),
    invitationList,
    personList,
    requestList,
    requestCount,
    strangerInvitations,
    itemList,
    jobList,
    itemsOf,
    removedOf,
    jobsOf,
  };
});

/** Somebody whose person is known because we meet in a sphere. */
function memberAt(spheres: Iterable<SphereView>, jid: string): MemberView | null {
  const isIt = (member: MemberView): boolean =>
    member.jid === jid && member.state === 'joined' && member.person !== null && !member.isMe;
  for (const { members } of spheres) {
    const member = members.find(isIt);
    if (member !== undefined) return member;
  }
  return null;
}
