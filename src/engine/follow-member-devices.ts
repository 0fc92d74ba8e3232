import type { Clock } from '../base/clock.ts';
import type { DeviceKey, PersonId } from '../base/id.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { AccountSession } from './account-session.ts';
import type { Notice } from './notice.ts';

/** So long after it came here a sphere is seen for the first time: what is told of it is the past. */
const FIRST_SIGHT_MS = 600_000;
/** Of each person: whoever certifies computers without end tells nothing new by it. */
const TOLD = { burst: 4, intervalMs: 6 * 3_600_000 };

/** Tells when somebody compared uses another computer than before. */
export function followMemberDevices(
  { list, storage, names }: AccountSession,
  tell: (notice: Notice) => void,
  clock: Clock,
): () => void {
  const telling = new RateLimit({ clock, ...TOLD });
  const known = new Map<PersonId, Set<DeviceKey>>();
  /** Those that were not known, with whether their person had others. */
  const learn = ({ state }: Sphere): { readonly person: PersonId; readonly isFirst: boolean }[] =>
    [...state.devices.values()].flatMap(({ device, person }) => {
      const theirs = known.get(person) ?? new Set();
      const isFirst = theirs.size === 0;
      if (theirs.has(device)) return [];
      known.set(person, theirs.add(device));
      return [{ person, isFirst }];
    });
  for (const sphere of list.all()) learn(sphere);
  return list.onChange.on(({ sphere, changes }) => {
    if (!changes.some(({ kind }) => kind === 'members')) return;
    const isFirstSight = clock.now() - sphere.row.createdAtMs < FIRST_SIGHT_MS;
    for (const { person, isFirst } of learn(sphere)) {
      const jid = sphere.jidOf(person);
      const isNews = !isFirst && !isFirstSight && person !== sphere.person && storage.verified.has(person);
      if (isNews && jid !== undefined && telling.take(person))
        tell({ code: 'member-device', params: { person: names.of(jid) } });
    }
  });
}
