import { ref, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import type { SphereId } from '../../base/id.ts';
import { desktop } from '../desktop.ts';
import { useEngine } from '../stores/engine.ts';
import { useWorld } from '../stores/world.ts';
import { useNotify } from '../use-notify.ts';
import type { Dropped } from './dropped-paths.ts';

/** Of what was left out. */
const MOST_NAMES = 3;

interface ShareTarget {
  /** Where what is shared stands. */
  readonly spheres: () => readonly SphereId[];
  /** Where the next thing goes. */
  readonly into: () => Promise<SphereId>;
}

/** Everything that leads to sharing in one sphere, or with one person: the button, the drop and the picker. */
export function useShare({ spheres, into }: ShareTarget) {
  const engine = useEngine();
  const world = useWorld();
  const notify = useNotify();
  const { t } = useI18n();
  const picking = ref(false);
  /** Names that were dropped where the page cannot learn their paths. */
  const wanted = ref<readonly string[]>([]);

  async function share(paths: readonly string[]): Promise<void> {
    const before = new Set(world.jobs.keys());
    let target: SphereId | undefined;
    try {
      target = await into();
      const sphereId = target;
      await engine.call((client) => client.items.share({ sphereId, paths: [...paths] }));
    } catch (error) {
      // A job of this call that failed shows its own reason; saying it twice helps nobody.
      const told = world.jobList.some((job) => !before.has(job.id) && job.error !== null && job.sphereId === target);
      if (!told) notify.failure(error);
    }
  }

  async function add(): Promise<void> {
    const shell = desktop();
    if (shell?.pickFiles === undefined) {
      wanted.value = [];
      picking.value = true;
      return;
    }
    const paths = await shell.pickFiles({ folders: false });
    if (paths.length > 0) await share(paths);
  }

  function take(dropped: Dropped): void {
    if (dropped.kind === 'paths') void share(dropped.paths);
    if (dropped.kind !== 'no-paths') return;
    wanted.value = dropped.names;
    picking.value = true;
  }

  const told = new Set<string>();
  watch(
    () =>
      spheres()
        .flatMap((id) => world.jobsOf(id))
        .filter((job) => job.leftOut.length > 0 && !told.has(job.id)),
    (jobs) => {
      for (const job of jobs) {
        told.add(job.id);
        const what = job.leftOut.map(({ reason, count, names }) => {
          const shown = names.slice(0, MOST_NAMES).join(', ') + (count > MOST_NAMES ? ', …' : '');
          return t(`share.leftOut.${reason}`, { names: shown }, count);
        });
        notify.notice('left-out', { name: job.name, what: what.join(' ') });
      }
    },
  );

  return { picking, wanted, share, add, take };
}
