import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import type { People } from '../people/people.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { SphereDevice } from '../spheres/protocol/sphere-state.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SphereList } from '../spheres/sphere-list.ts';

interface FollowOwnProgramsDeps {
  readonly list: Pick<SphereList, 'all' | 'onChange'>;
  readonly people: Pick<People, 'devices'>;
  readonly devices: Pick<OwnDevices, 'list' | 'vouchAgain'>;
  readonly own: BareJid;
}

type Programs = SphereDevice['vouched'];

/**
 * Leaves out here what the person left out at another computer of theirs: others go on sending to it for as long as one of these
 * vouches for it. What was said here holds here, so that two computers never contradict each other without end.
 */
export function followOwnPrograms({ list, people, devices, own }: FollowOwnProgramsDeps): () => void {
  const known = new Map<SphereId, ReadonlyMap<DeviceKey, Programs>>();
  /** What computers of ours vouched for at this account, and do not any more. */
  const learn = (sphere: Sphere): Programs => {
    const ours = [...sphere.state.devices.values()].filter(
      ({ person, jid }) => person === sphere.person && jid === own,
    );
    const before = known.get(sphere.id);
    known.set(sphere.id, new Map(ours.map(({ device, vouched }) => [device, vouched])));
    return ours.flatMap(({ device, vouched }) => {
      const rest = new Set(vouched.map(({ identityKey }) => identityKey));
      return (before?.get(device) ?? []).filter(({ identityKey }) => !rest.has(identityKey));
    });
  };
  for (const sphere of list.all()) learn(sphere);
  return list.onChange.on(({ sphere, changes }) => {
    if (!changes.some(({ kind }) => kind === 'members')) return;
    const gone = learn(sphere);
    const computers = gone.length === 0 ? [] : devices.list().map(({ omemoIdentityKey }) => omemoIdentityKey);
    const programs = gone.filter(({ identityKey }) => !computers.includes(identityKey));
    const others = programs.filter((program) => people.devices.leaveOutToo(program));
    if (others.length > 0) devices.vouchAgain();
  });
}
