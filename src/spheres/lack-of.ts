import { toUtf8 } from '../base/bytes.ts';
import type { DeviceKey } from '../base/id.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { Tip } from './protocol/gaps.ts';
import type { Sphere } from './sphere.ts';

type Heard = ReadonlyMap<DeviceKey, readonly Tip[]>;

/** `what` is the same for as long as the same is lacking. */
export type Lack = { readonly by: 'others'; readonly what: string } | { readonly by: 'themselves' | 'nobody' };

/** Whether something that any of these devices said is not here: as others know, or by the word of these devices alone. */
export function lackOf(sphere: Sphere, heard: Heard, devices: ReadonlySet<DeviceKey>): Lack {
  const { log } = sphere;
  const rangesOf = (tips?: readonly Tip[]): string[] =>
    log.missing(tips).ranges.flatMap((range) => (devices.has(range.device) ? [JSON.stringify(range)] : []));
  const told = toldIn(sphere, heard);
  const known = [...rangesOf(), ...told.flatMap(([teller, tips]) => (devices.has(teller) ? [] : rangesOf(tips)))];
  if (known.length > 0) return { by: 'others', what: sha256Hex(toUtf8([...new Set(known)].toSorted().join())) };
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
