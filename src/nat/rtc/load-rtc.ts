import { AppError } from '../../base/errors.ts';
import type { NativeConnection, NativeIceServer, NativeRtc } from './native-rtc.ts';
import { MESSAGE_BYTES } from './stream-messages.ts';

/** The library keeps as much per connection and direction at most; a long way at full speed needs this much under way. */
const SCTP_BUFFER_BYTES = 4 * 2 ** 20;

/** What of the library is called here. */
export interface RtcModule {
  readonly PeerConnection: new (
    name: string,
    config: { iceServers: NativeIceServer[]; maxMessageSize: number; enableIceTcp: boolean },
  ) => NativeConnection;
  readonly setSctpSettings: (settings: { recvBufferSize: number; sendBufferSize: number }) => void;
  readonly cleanup: () => void;
}

/** WebRTC of this process; disposed once, at the end of the process. */
export interface LoadedRtc extends NativeRtc, Disposable {}

/** Loads the library when it is first needed. Fails with `not-found` on a platform without its binary. */
export async function loadRtc(load: () => Promise<RtcModule> = importRtc): Promise<LoadedRtc> {
  const { PeerConnection, setSctpSettings, cleanup } = await load().catch((cause: unknown) => {
    throw new AppError('not-found', 'WebRTC is not available on this platform', {}, cause);
  });
  setSctpSettings({ recvBufferSize: SCTP_BUFFER_BYTES, sendBufferSize: SCTP_BUFFER_BYTES });
  return {
    createConnection: (servers) =>
      new PeerConnection('', { iceServers: [...servers], maxMessageSize: MESSAGE_BYTES, enableIceTcp: false }),
    // Its threads call into the process until then.
    [Symbol.dispose]: () => cleanup(),
  };
}

function importRtc(): Promise<RtcModule> {
  return import('node-datachannel');
}
