import { Continuation } from '../spheres/continuation.ts';
import { NewOwner } from '../spheres/new-owner.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';

/** How a sphere gets another owner, goes on without the one it had, or goes to another server. */
export function ownerCalls({
  holder,
  views,
  clock,
  log,
}: Pick<AppCallsDeps, 'holder' | 'views' | 'clock' | 'log'>): Pick<
  AppServices['spheres'],
  'changeOwner' | 'continue' | 'move'
> {
  return {
    changeOwner({ sphereId, step }) {
      const newOwner = new NewOwner({ list: holder.session.list, clock });
      if (step.kind === 'offer') newOwner.offer(sphereId, step.jid);
      if (step.kind === 'accept') newOwner.accept(sphereId);
      if (step.kind === 'propose') newOwner.propose(sphereId, step.jid);
      if (step.kind === 'object') newOwner.object(sphereId);
      return Promise.resolve({ ok: true as const });
    },
    async move({ sphereId, server }, signal) {
      return { sphere: views.sphere(await holder.session.mover.move(sphereId, server, signal)) };
    },
    async continue({ sphereId }, signal) {
      const { list, members, own } = holder.session;
      const continuation = new Continuation({ list, members, own, log });
      return { sphere: views.sphere(await continuation.run(sphereId, signal)) };
    },
  };
}
