import { defineStore } from 'pinia';
import { computed, reactive, ref } from 'vue';
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

const NO_SWARM: SwarmView = {
  state: 'starting',
  port: 0,
  downBps: 0,
  upBps: 0,
  paused: false,
  mapped: null,
  peers: 0,
};

function refill<T>(map: Map<string, T>, values: readonly T[], key: (value: T) => string): void {
  map.clear();
  for (const value of values) map.set(key(value), value);
}

/** All facts the engine told us, except messages. Applying a fact twice does no harm. */
export const useWorld = defineStore('world', () => {
  const loaded = ref(false);
  const version = ref('');
  const account = ref<AccountView | null>(null);
  const spheres = reactive(new Map<string, SphereView>());
  const invitations = reactive(new Map<string, InvitationView>());
  const items = reactive(new Map<string, ItemView>());
  const jobs = reactive(new Map<string, ShareJobView>());
  const swarm = ref<SwarmView>(NO_SWARM);
  const limits = ref<LimitsView>({ up: 0, down: 0 });

  function applySnapshot(snapshot: Snapshot): void {
    version.value = snapshot.version;
    account.value = snapshot.account;
    refill(spheres, snapshot.spheres, (sphere) => sphere.id);
    refill(invitations, snapshot.invitations, (invitation) => invitation.id);
    refill(items, snapshot.items, (item) => item.id);
    refill(jobs, snapshot.jobs, (job) => job.id);
    swarm.value = snapshot.swarm;
    limits.value = snapshot.limits;
    loaded.value = true;
  }

  function removeSphere(sphereId: string): void {
    spheres.delete(sphereId);
    for (const item of Array.from(items.values())) {
      if (item.sphereId === sphereId) items.delete(item.id);
    }
    for (const job of Array.from(jobs.values())) {
      if (job.sphereId === sphereId) jobs.delete(job.id);
    }
  }

  function applyEvent(event: AppEvent): void {
    switch (event.kind) {
      case 'account':
        account.value = event.account;
        break;
      case 'sphere':
        spheres.set(event.sphere.id, event.sphere);
        break;
      case 'sphere-removed':
        removeSphere(event.sphereId);
        break;
      case 'invitation':
        invitations.set(event.invitation.id, event.invitation);
        break;
      case 'invitation-removed':
        invitations.delete(event.id);
        break;
      case 'item':
        items.set(event.item.id, event.item);
        break;
      case 'job':
        jobs.set(event.job.id, event.job);
        break;
      case 'swarm':
        swarm.value = event.swarm;
        break;
      case 'limits':
        limits.value = event.limits;
        break;
      case 'message':
      case 'notice':
        // Messages have their own store, notices are shown once and kept nowhere.
        break;
    }
  }

  const sphereList = computed(() =>
    Array.from(spheres.values()).sort((a, b) => b.lastActivityMs - a.lastActivityMs || a.name.localeCompare(b.name)),
  );
  const invitationList = computed(() => Array.from(invitations.values()).sort((a, b) => b.atMs - a.atMs));
  const itemList = computed(() => Array.from(items.values()).sort((a, b) => b.atMs - a.atMs));
  const jobList = computed(() => Array.from(jobs.values()));
  const itemsOf = (sphereId: string): ItemView[] => itemList.value.filter((item) => item.sphereId === sphereId);
  const jobsOf = (sphereId: string): ShareJobView[] => jobList.value.filter((job) => job.sphereId === sphereId);

  return {
    loaded,
    version,
    account,
    spheres,
    invitations,
    items,
    jobs,
    swarm,
    limits,
    applySnapshot,
    applyEvent,
    sphereList,
    invitationList,
    itemList,
    jobList,
    itemsOf,
    jobsOf,
  };
});
