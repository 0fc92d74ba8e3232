import type { InfoHash } from '../../src/base/id.ts';
import { frame, handshake, message } from './raw-peer.ts';

const extended = (id: number, payload: string): Buffer => frame(Buffer.from([20, id]), Buffer.from(payload, 'latin1'));

const AFTER_HANDSHAKE: readonly (readonly [string, Buffer])[] = [
  ['ext_negdict', extended(0, 'd-3:')],
  ['ext_neglist', extended(0, 'l-3:')],
  ['ext_m_tostring', extended(0, 'd1:md6:ut_pexd8:toString1:xeee')],
  ['ext_m_tostring2', extended(0, 'd1:md11:ut_metadatad8:toStringi1eeee')],
  ['ext_m_dict', extended(0, 'd1:md6:ut_pexdeee')],
  ['ext_deep', extended(0, 'l'.repeat(4000))],
  ['utm_empty', extended(1, '')],
  ['utm_negd', extended(1, 'd-3:')],
  ['utm_request', extended(1, 'd8:msg_typei0e5:piecei0ee')],
  ['utm_piece_big', extended(1, 'd8:msg_typei1e5:piecei99999e10:total_sizei16eexxxx')],
  ['utm_piece_neg', extended(1, 'd8:msg_typei1e5:piecei-1e10:total_sizei16eexxxx')],
  ['utm_long', extended(1, `d8:msg_typei1e5:piecei0e10:total_sizei16ee${'x'.repeat(100_000)}`)],
  ['pex_negative', extended(2, 'd-3:')],
  ['length_2g', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
  ['bitfield_30m', Buffer.concat([Buffer.from([1, 0xe0, 0, 0, 5]), Buffer.alloc(65_536, 0xff)])],
  ['have_huge', message(4, 0xff_ff_ff_f0)],
  ['request_outside', message(6, 0, 0xff_ff_00_00, 16_384)],
  ['request_unknown_piece', message(6, 1_000_000, 0, 16_384)],
  ['piece_unasked', frame(Buffer.from([7, 0, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(16_384))],
  ['request_flood', Buffer.concat([message(2), ...Array.from({ length: 20_000 }, () => message(6, 0, 0, 16_384))])],
  ['turns', Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.concat([message(2), message(3)])))],
  ['declarations', Buffer.concat(Array.from({ length: 200_000 }, () => message(14)))],
  ['rejects', Buffer.concat(Array.from({ length: 100_000 }, () => message(16, 0, 0, 16_384)))],
];

/** What an admitted member may send that no honest one does: each by its name, with all that comes before it. */
export function hostileMessages(infoHash: InfoHash, greeting: Uint8Array = Buffer.of()): [string, Buffer][] {
  const shaken = AFTER_HANDSHAKE.map(([name, bytes]): [string, Buffer] => {
    return [name, Buffer.concat([handshake(infoHash), greeting, bytes])];
  });
  return [...shaken, ['wrong_hash', handshake(infoHash).fill(9, 28, 48)], ['garbage', Buffer.alloc(300, 0x99)]];
}
