import type { RandomBytes } from '../base/random.ts';
import { attachment } from './protocol/envelope.ts';
import { epochCommitment, generateEpochKey } from './protocol/epoch.ts';
import type { EventBodies } from './protocol/event-body.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** A new epoch under a new key, which goes to the certified devices of all members. */
export function startEpoch(
  deps: { readonly list: SphereList; readonly random: RandomBytes },
  sphere: Sphere,
  reason: EventBodies['epoch']['reason'],
): void {
  const key = generateEpochKey(deps.random);
  const number = Math.max(-1, ...sphere.state.epochs.map((epoch) => epoch.number)) + 1;
  const body = { number, commitment: epochCommitment(key), reason };
  deps.list.publish(sphere, 'epoch', body, {
    audience: { kind: 'certified' },
    attachments: [attachment('epoch-key', key)],
  });
}
