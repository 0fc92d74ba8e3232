import type { DeviceKey } from '../base/id.ts';
import type { MissingRange, Tip } from './protocol/gaps.ts';
import type { Sphere } from './sphere.ts';

type Heard = ReadonlyMap<DeviceKey, readonly Tip[]>;

/** Devices of which something is not here. */
export interface Lack {
  /** By word of others, or because a gap shows it. */
  readonly byOthers: ReadonlySet<DeviceKey>;
  /** By their own word, or that of one that is ended as well; with those who said so. */
  readonly byThemselves: ReadonlySet<DeviceKey>;
}

/** What is not here of those listed, after what each device told. */
export function lackOf(sphere: Sphere, heard: Heard, ending: ReadonlySet<DeviceKey>): Lack {
  const { log, state } = sphere;
  const ofListed = (tips?: readonly Tip[]): readonly MissingRange[] =>
    log.missing(tips).ranges.filter(({ device }) => state.devices.has(device));
  const gaps = ofListed();
  const byOthers = new Set(gaps.map(({ device }) => device));
  const byThemselves = new Set<DeviceKey>();
  for (const [teller, tips] of toldIn(sphere, heard)) {
    for (const { device, from } of ofListed(tips)) {
      // Nobody need tell of a gap.
      if (gaps.some((gap) => gap.device === device && gap.from === from)) continue;
      const isTheirs = device === teller || ending.has(teller);
      for (const one of isTheirs ? [device, teller] : [device]) (isTheirs ? byThemselves : byOthers).add(one);
    }
  }
  return { byOthers, byThemselves };
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
