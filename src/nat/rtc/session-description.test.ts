import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { AppError } from '../../base/errors.ts';
import { rtcSignalSchema } from '../../contract/swarm.ts';
import { rewriteDescription } from './session-description.ts';

/** As the library writes it. */
const FINGERPRINT = 'C0:95:2D:7F:E6:99:2C:60:18:F5:BB:B5:EF:72:EF:1C:E2:15:FC:8B:EE:E3:D6:E4:AC:39:65:27:FF:C7:35:DE';
const OFFER = [
  'v=0',
  'o=rtc 2971554921 0 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=msid-semantic:WMS *',
  'a=ice-options:ice2,trickle',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=mid:0',
  'a=sendrecv',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  'a=setup:actpass',
  'a=ice-ufrag:r3Ay',
  'a=ice-pwd:CxoLxQ1gEJiKVjbu3yDvbT',
  '',
].join('\r\n');
const ANSWER = OFFER.replace('actpass', 'active');
/** Every line that can come out. */
const ALLOWED = [
  /^v=0$/,
  /^o=- 0 0 IN IP4 0\.0\.0\.0$/,
  /^s=-$/,
  /^t=0 0$/,
  /^m=application 9 UDP\/DTLS\/SCTP webrtc-datachannel$/,
  /^c=IN IP4 0\.0\.0\.0$/,
  /^a=(group:BUNDLE 0|ice-options:ice2,trickle|mid:0|max-message-size:65536)$/,
  /^a=(fingerprint:sha-256 [0-9A-Fa-f:]{95}|sctp-port:\d{1,5}|setup:(actpass|active|passive))$/,
  /^a=(ice-ufrag:[0-9A-Za-z+/]{4,256}|ice-pwd:[0-9A-Za-z+/]{22,256})$/,
  /^$/,
];

function rewrite(sdp: string, kind: 'offer' | 'answer'): string | undefined {
  try {
    return rewriteDescription(sdp, kind);
  } catch (error) {
    if (error instanceof AppError && error.code === 'bad-input') return undefined;
    throw error;
  }
}

describe('a session description', () => {
  test("of the library's own keeps what is needed and loses its number and every other line", () => {
    const text = rewriteDescription(OFFER, 'offer');
    expect(text.split('\r\n').filter((line) => !ALLOWED.some((pattern) => pattern.test(line)))).toEqual([]);
    expect(text).toContain(`a=fingerprint:sha-256 ${FINGERPRINT}\r\n`);
    expect(text).toContain('a=ice-ufrag:r3Ay\r\na=ice-pwd:CxoLxQ1gEJiKVjbu3yDvbT\r\n');
    expect(rewriteDescription(text, 'offer')).toBe(text);
    expect(rtcSignalSchema.safeParse({ session: 'a'.repeat(32), kind: 'offer', text, mid: '' }).success).toBe(true);
  });

  const refused: [string, string][] = [
    ['sound', OFFER.replace('m=application', 'm=audio')],
    ['a second medium', `${OFFER}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`],
    ['no medium', OFFER.replace(/^m=.*\r\n/m, '')],
    ['another transport', OFFER.replace('UDP/DTLS/SCTP', 'TCP/DTLS/SCTP')],
    ['a weak fingerprint', OFFER.replace(/sha-256 .*/, 'sha-1 AA:BB')],
    ['two fingerprints', OFFER.replace('a=mid:0', `a=fingerprint:sha-256 ${FINGERPRINT}`)],
    ['a short password', OFFER.replace(/ice-pwd:.*/, 'ice-pwd:abc')],
    ['an endless name', OFFER.replace(/ice-ufrag:.*/, `ice-ufrag:${'a'.repeat(257)}`)],
    ['too many lines', OFFER + 'a=x\r\n'.repeat(64)],
    ['too many characters', OFFER + 'a'.repeat(2_048)],
    ["an answer's role", ANSWER],
  ];
  test.each(refused)('with %s is refused', (_, sdp) => {
    expect(rewrite(sdp, 'offer')).toBeUndefined();
  });

  test('that answers must say who begins', () => {
    expect(rewrite(ANSWER, 'answer')).toContain('a=setup:active');
    expect(rewrite(OFFER, 'answer')).toBeUndefined();
  });

  test('whatever is sent, the library sees nothing but lines of our own', () => {
    const lines = OFFER.split('\r\n');
    const junk = fc.oneof(fc.constantFrom(...lines), fc.string({ unit: 'binary' }), fc.string({ maxLength: 400 }));
    const edit = fc.tuple(fc.nat(lines.length), fc.nat(2), junk, fc.constantFrom('\r\n', '\n', '\r', '\0'));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), fc.constantFrom('offer', 'answer'), (edits, kind) => {
        const mutated = edits.reduce<string[]>(
          (all, [at, remove, text, end]) => all.toSpliced(at, remove, `${text}${end}`),
          lines,
        );
        const seen = rewrite(mutated.join('\r\n'), kind)?.split('\r\n') ?? [];
        expect(seen.filter((line) => !ALLOWED.some((pattern) => pattern.test(line)))).toEqual([]);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
