import type { DeviceKey, SphereId } from '../base/id.ts';
import type { NetworkState, Path } from '../contract/swarm.ts';
import { pathSchema } from '../contract/swarm.ts';
import type { Callee } from './call-list.ts';

export type Attempt = NetworkState['attempts'][number];
type Outcome = 'connected' | 'unreachable' | 'refused';

/** How each path to each device fared last, for whoever asks why a connection is not better. */
export class DialOutcomes {
  readonly #last = new Map<SphereId, Map<DeviceKey, Map<Path, { outcome: Outcome; atMs: number }>>>();

  record(sphereId: SphereId, device: DeviceKey, path: Path, outcome: Outcome, atMs: number): void {
    const devices = this.#last.get(sphereId) ?? new Map<DeviceKey, Map<Path, { outcome: Outcome; atMs: number }>>();
    const paths = devices.get(device) ?? new Map<Path, { outcome: Outcome; atMs: number }>();
    this.#last.set(sphereId, devices);
    devices.set(device, paths);
    paths.set(path, { outcome, atMs: Math.round(atMs) });
  }

  forgetSphere(sphereId: SphereId): void {
    this.#last.delete(sphereId);
  }

  /** Every path to every device that is a member. */
  list(
    sphereId: SphereId,
    devices: ReadonlyMap<DeviceKey, readonly Callee[]>,
    isMember: (device: DeviceKey) => boolean,
  ): Attempt[] {
    const met = this.#last.get(sphereId) ?? new Map<DeviceKey, Map<Path, { outcome: Outcome; atMs: number }>>();
    const all = new Set([...devices.keys(), ...met.keys()]);
    return Array.from(all)
      .filter(isMember)
      .flatMap((device) => {
        const offered = new Set((devices.get(device) ?? []).map(({ path }) => path));
        if (offered.has('webrtc')) offered.add('turn');
        return pathSchema.options.map((path) => {
          const last = met.get(device)?.get(path);
          if (last !== undefined) return { sphereId, device, path, ...last };
          return { sphereId, device, path, outcome: offered.has(path) ? 'untried' : 'no-address', atMs: 0 } as const;
        });
      });
  }
}
