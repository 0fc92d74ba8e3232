import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import { AppError } from '../../base/errors.ts';
import type { ProfileView } from '../../contract/profiles.ts';
import { desktop } from '../desktop.ts';
import { useEngine } from './engine.ts';

/** Remembered as long as the window or tab is there: whoever said who they are is not asked again by a reload. */
const ANSWERED = 'spherecast-who';

/** The people who use this computer, and the question who of them is there. */
export const useProfiles = defineStore('profiles', () => {
  const engine = useEngine();
  const all = ref<readonly ProfileView[]>([]);
  const startsWithLast = ref(false);
  /** `null` until it is known whether somebody has to be asked. */
  const asking = ref<boolean | null>(null);
  const listed = computed(() => all.value.filter(({ isListed }) => isListed));

  async function refresh(): Promise<boolean> {
    const found = await engine.call((client) => client.profiles.list());
    all.value = found.profiles;
    startsWithLast.value = found.startsWithLast;
    const isAskedFor = new URLSearchParams(window.location.search).has('who');
    return found.ask || isAskedFor;
  }

  /** Once for each page: asks when the application was started for nobody in particular. */
  async function begin(): Promise<void> {
    if (asking.value !== null) return;
    try {
      const ask = await refresh();
      asking.value = ask && sessionStorage.getItem(ANSWERED) === null;
    } catch {
      // Without an answer the page shows what it has: nobody is kept out by a list.
      asking.value = false;
    }
  }

  async function ask(): Promise<void> {
    await refresh();
    asking.value = true;
  }

  function stay(): void {
    sessionStorage.setItem(ANSWERED, 'yes');
    asking.value = false;
  }

  /** Goes on as this person: here, at the address of their own engine, or in their own window. */
  async function choose(id: string): Promise<void> {
    const { url } = await engine.call((client) => client.profiles.open({ id }));
    stay();
    if (all.value.find((one) => one.id === id)?.isCurrent === true) return;
    const shell = desktop();
    if (shell?.openProfile !== undefined) await shell.openProfile(id);
    else if (url !== null) window.location.assign(url);
    else throw new AppError('not-allowed', 'only the application itself can open a window');
  }

  async function change(call: () => Promise<unknown>): Promise<void> {
    await call();
    await refresh();
  }

  const add = (name: string) => engine.call((client) => client.profiles.add({ name }));
  const setListed = (id: string, on: boolean) =>
    change(() => engine.call((client) => client.profiles.setListed({ id, on })));
  const setStartsWithLast = (on: boolean) =>
    change(() => engine.call((client) => client.profiles.setStartsWithLast({ on })));

  return {
    ...{ all, listed, startsWithLast, asking, begin, ask, stay, choose },
    ...{ add, setListed, setStartsWithLast },
  };
});
