import type { DeviceKey } from '../base/id.ts';
import type { MissingRange, Tip } from './protocol/gaps.ts';
import type { Sphere } from './sphere.ts';

type Heard = ReadonlyMap<DeviceKey, readonly Tip[]>;

/** By whose word: what others know of, with gaps; or that of these devices alone. */
export type Lack =
  | { readonly by: 'others'; readonly ranges: readonly MissingRange[] }
  | { readonly by: 'themselves' | 'nobody' };

/** What these devices said and is not here, after what each device told. */
export function lackOf(sphere: Sphere, heard: Heard, devices: ReadonlySet<DeviceKey>): Lack {
  const { log } = sphere;
  const rangesOf = (tips?: readonly Tip[]): MissingRange[] =>
    log.missing(tips).ranges.filter(({ device }) => devices.has(device));
  const told = toldIn(sphere, heard);
  const ranges = [...rangesOf(), ...told.flatMap(([teller, tips]) => (devices.has(teller) ? [] : rangesOf(tips)))];
  if (ranges.length > 0) return { by: 'others', ranges };
  const isClaimed = told.some(([teller, tips]) => devices.has(teller) && rangesOf(tips).length > 0);
  return { by: isClaimed ? 'themselves' : 'nobody' };
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
