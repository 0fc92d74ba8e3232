// RFC 8866: SDP: Session Description Protocol; RFC 8839: ICE in SDP; RFC 8841: SCTP over DTLS in SDP
import { AppError } from '../../base/errors.ts';
import { MESSAGE_BYTES } from './stream-messages.ts';

export type DescriptionKind = 'offer' | 'answer';

const MOST_CHARACTERS = 2_048;
const MOST_LINES = 64;
// RFC 8841 §4: the only kind of medium with a data channel.
const MEDIUM = /^m=application \d{1,5} UDP\/DTLS\/SCTP webrtc-datachannel$/;
/** RFC 8839 §5.4: `ice-char`, and its lengths. */
const UFRAG = /^[0-9A-Za-z+/]{4,256}$/;
const PASSWORD = /^[0-9A-Za-z+/]{22,256}$/;
const FINGERPRINT = /^sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/i;
const PORT = /^[1-9]\d{0,4}$/;
/** RFC 8842 §5.2 and §5.3: who offers leaves it open, who answers decides. */
const SETUP = { offer: /^actpass$/, answer: /^(?:active|passive)$/ };

/**
 * The same description in our own words: the library's parser only ever sees this, whatever was sent.
 * Fails with `bad-input` when it describes anything but one data channel transport.
 */
export function rewriteDescription(sdp: string, kind: DescriptionKind): string {
  const lines = sdp.length > MOST_CHARACTERS ? [] : sdp.split(/\r?\n/);
  const media = lines.filter((line) => line.startsWith('m='));
  if (lines.length > MOST_LINES || media.length !== 1 || !MEDIUM.test(media[0] ?? '')) {
    throw new AppError('bad-input', 'not the description of a data channel', { length: sdp.length });
  }
  const attribute = (name: string, pattern: RegExp): string => {
    const values = lines.filter((line) => line.startsWith(`a=${name}:`)).map((line) => line.slice(name.length + 3));
    const [value] = values;
    if (value !== undefined && values.length === 1 && pattern.test(value)) return `a=${name}:${value}`;
    throw new AppError('bad-input', 'a session description is malformed', { attribute: name });
  };
  return [
    'v=0',
    'o=- 0 0 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=ice-options:ice2,trickle',
    attribute('fingerprint', FINGERPRINT),
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    attribute('sctp-port', PORT),
    `a=max-message-size:${MESSAGE_BYTES}`,
    attribute('setup', SETUP[kind]),
    attribute('ice-ufrag', UFRAG),
    attribute('ice-pwd', PASSWORD),
    '',
  ].join('\r\n');
}
