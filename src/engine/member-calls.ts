import { AppError } from '../base/errors.ts';
import { knownCopies } from '../spheres/known-copies.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { viewMembers } from './sphere-view.ts';

const DONE = { ok: true as const };

type MemberCalls = Pick<AppServices['spheres'], 'members' | 'heldBy' | 'remove' | 'setRole'>;

/** Who is in a sphere, and what becomes of them there. */
export function memberCalls({ holder }: Pick<AppCallsDeps, 'holder'>): MemberCalls {
  return {
    members({ sphereId }) {
      const { session } = holder;
      return Promise.resolve({ members: viewMembers(session, session.list.get(sphereId)) });
    },
    heldBy({ sphereId, jid }) {
      const { list, storage } = holder.session;
      const sphere = list.get(sphereId);
      const person = sphere.state.members.get(jid)?.person ?? null;
      if (person === null) throw new AppError('not-found', 'no such member');
      return Promise.resolve(knownCopies(storage, sphere, person));
    },
    async remove({ sphereId, jid }, signal) {
      await holder.session.members.remove(sphereId, jid, signal);
      return DONE;
    },
    setRole({ sphereId, jid, role }) {
      holder.session.members.setRole(sphereId, jid, role);
      return Promise.resolve(DONE);
    },
  };
}
