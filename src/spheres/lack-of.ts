import type { DeviceKey } from '../base/id.ts';
import type { Tip } from './protocol/gaps.ts';
import type { Sphere } from './sphere.ts';

type Heard = ReadonlyMap<DeviceKey, readonly Tip[]>;

/** By whose word: what others know of, or a gap shows; or that of each about itself alone. */
export type Lack = 'others' | 'themselves' | 'nobody';

/** Whether something that these devices said is not here, after what each device told. */
export function lackOf(sphere: Sphere, heard: Heard, devices: ReadonlySet<DeviceKey>): Lack {
  const { log } = sphere;
  const lacking = (tips?: readonly Tip[]): DeviceKey[] =>
    log.missing(tips).ranges.flatMap(({ device }) => (devices.has(device) ? [device] : []));
  if (lacking().length > 0) return 'others';
  const isOwn = toldIn(sphere, heard).flatMap(([teller, tips]) => lacking(tips).map((device) => device === teller));
  if (isOwn.length === 0) return 'nobody';
  return isOwn.includes(false) ? 'others' : 'themselves';
}

/** What each of those told who still have a say: whoever has left gives nothing. */
export function toldIn({ state }: Sphere, heard: Heard): [DeviceKey, readonly Tip[]][] {
  return [...heard].filter(([device]) => state.devices.has(device));
}

/** Everything that anybody of them told of, once. */
export function toldBy(sphere: Sphere, heard: Heard): Tip[] {
  const tips = toldIn(sphere, heard).flatMap(([, told]) => told);
  return [...new Map(tips.map((tip) => [`${tip.device} ${tip.hash}`, tip])).values()];
}

/** A device whose events are here and that nobody certified may be made up: what it lacks is no reason to wait. */
export function isOfSomebody({ state, log }: Sphere, device: DeviceKey): boolean {
  return state.devices.has(device) || !log.heads().has(device);
}
