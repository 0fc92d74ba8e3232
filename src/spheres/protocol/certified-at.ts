import type { BareJid } from '../../base/id.ts';
import type { SphereLog } from './sphere-log.ts';
import type { SphereDevice } from './sphere-state.ts';

interface Sender {
  readonly jid: BareJid;
  readonly omemoIdentityKey: string;
}

/** The member's device that writes from this account: while its person moves it has a certificate for each of both. */
export function certifiedAt(log: SphereLog, { jid, omemoIdentityKey }: Sender): SphereDevice | undefined {
  const ofKey = [...log.state().devices.values()].filter((device) => device.omemoIdentityKey === omemoIdentityKey);
  const here = ofKey.find((device) => device.jid === jid);
  if (here !== undefined || ofKey.length === 0) return here;
  return ofKey.find(({ device, person }) =>
    log.events().some((event) => {
      const isOfIt = event.type === 'device' && event.header.device === device && event.header.person === person;
      const names = isOfIt && event.body.jid === jid && event.body.omemoIdentityKey === omemoIdentityKey;
      return names && log.verdict(event.id)?.kind === 'accepted';
    }),
  );
}
