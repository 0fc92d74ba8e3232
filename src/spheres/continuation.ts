import { AppError } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Members } from './members.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface ContinuationDeps {
  readonly list: SphereList;
  readonly members: Pick<Members, 'found' | 'inviteAs'>;
  readonly own: BareJid;
  readonly log: Logger;
}

/** A sphere whose owner is gone and that has no admin goes on in a new one. */
export class Continuation {
  readonly #deps: ContinuationDeps;

  constructor(deps: ContinuationDeps) {
    this.#deps = deps;
  }

  /**
   * Founds a sphere of ours with every item of the old one, invites the others but for the owner, and tells them in the
   * old one. Fails with `not-allowed` while admins can decide.
   */
  async run(sphereId: SphereId, signal: AbortSignal): Promise<Sphere> {
    const { list, members } = this.#deps;
    const old = list.getJoined(sphereId);
    if (!mayContinue(old)) throw new AppError('not-allowed', 'the sphere has somebody who decides');
    const { name, genesis } = old.state;
    const sphere = await members.found({ name, history: genesis?.policy.history ?? 'all', from: old }, signal);
    await this.finish(sphere, signal);
    return sphere;
  }

  /** Tells the old sphere and invites whoever is not invited yet: also what a crash or a bad connection had cut short. */
  async finish(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const { list, members, own, log } = this.#deps;
    const old = list.find(sphere.log.continuation.continues ?? sphere.id);
    const isOurs = sphere.role === 'owner' && sphere.row.state === 'joined';
    if (old === undefined || old === sphere || !isOurs || !mayContinue(old)) return;
    const word =
      old.log.continuation.continued.get(sphere.id) ??
      list.publish(old, 'continued', { sphere: sphere.id }, { audience: { kind: 'members' } });
    for (const { jid, role, state, began } of old.state.members.values()) {
      const since = began === null ? undefined : old.log.get(began)?.header.lamport;
      const wasThere = state === 'joined' && since !== undefined && since < word.header.lamport;
      if (jid === own || role === 'owner' || !wasThere || sphere.state.members.has(jid)) continue;
      try {
        await members.inviteAs(sphere.id, jid, role === 'viewer' ? 'viewer' : 'member', signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn('a member of the old sphere is not invited', { error });
      }
    }
  }
}

/** Nobody decides there but an owner who is not us. */
export function mayContinue({ state, role, row }: Sphere): boolean {
  if (row.state !== 'joined' || role === undefined || role === 'owner') return false;
  return ![...state.members.values()].some((member) => member.state === 'joined' && member.role === 'admin');
}
