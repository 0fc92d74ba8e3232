import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { refuseInProfile } from './refuse-profile.ts';

const DONE = { ok: true as const };

/** Where the folder of a sphere lies on this device, and what becomes of what is put into it. */
export function folderCalls({
  holder,
  views,
  profile,
}: AppCallsDeps): Pick<AppServices['spheres'], 'watchFolder' | 'moveFolder' | 'cancelFolderMove'> {
  return {
    async watchFolder({ sphereId, on }) {
      const sphere = holder.session.list.get(sphereId);
      await holder.session.folderWatch.setOn(sphere, on);
      views.emitSphere(sphere);
      return DONE;
    },
    async moveFolder({ sphereId, into }, signal) {
      const { list, folderMove } = holder.session;
      const sphere = list.get(sphereId);
      await refuseInProfile(profile, into);
      const { stayed } = await folderMove.move(sphere, into, signal);
      return { sphere: views.sphere(sphere), stayed };
    },
    cancelFolderMove({ sphereId }) {
      holder.session.folderMove.cancel(sphereId);
      return Promise.resolve(DONE);
    },
  };
}
