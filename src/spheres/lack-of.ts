import type { DeviceKey } from '../base/id.ts';
import type { Tip } from './protocol/gaps.ts';
import type { Missing } from './protocol/sphere-log.ts';
import type { Sphere } from './sphere.ts';

type Heard = ReadonlyMap<DeviceKey, readonly Tip[]>;

/** As others know, or by the word of those alone who are said to have said it. */
export type Lack = 'known' | 'own-word' | 'nothing';

/** Whether something that any of these devices said is not here, after what each device told. */
export function lackOf(sphere: Sphere, heard: Heard, devices: ReadonlySet<DeviceKey>): Lack {
  const { log } = sphere;
  const isOfThem = ({ ranges }: Missing): boolean => ranges.some(({ device }) => devices.has(device));
  if (isOfThem(log.missing())) return 'known';
  const tellers = toldIn(sphere, heard).flatMap(([teller, tips]) => (isOfThem(log.missing(tips)) ? [teller] : []));
  if (tellers.length === 0) return 'nothing';
  return tellers.every((teller) => devices.has(teller)) ? 'own-word' : 'known';
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
