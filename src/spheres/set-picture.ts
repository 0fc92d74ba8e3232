import { AppError } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import { attachment } from './protocol/envelope.ts';
import { MAX_PICTURE_BYTES } from './protocol/event-body.ts';
import { sha256Hex } from './protocol/keys.ts';
import { RANK } from './protocol/member-record.ts';
import { pictureFormat } from './protocol/picture-format.ts';
import type { SphereList } from './sphere-list.ts';

/** Gives a sphere another picture, for all members; null takes it away. */
export function setPicture(list: SphereList, sphereId: SphereId, image: Uint8Array | null): void {
  const sphere = list.getJoined(sphereId);
  const { role } = sphere;
  if (role === undefined || RANK[role] < RANK.admin) {
    throw new AppError('not-allowed', 'only owner and admins give a picture');
  }
  const sha256 = image === null ? null : sha256Hex(image);
  if (image !== null && pictureFormat(image) === null) throw new AppError('bad-input', 'neither WebP nor JPEG');
  if (image !== null && image.length > MAX_PICTURE_BYTES) {
    throw new AppError('too-large', 'the picture is too long', { bytes: image.length, maxBytes: MAX_PICTURE_BYTES });
  }
  if (sha256 === (sphere.log.picture?.body.sha256 ?? null)) return;
  const attachments = image === null ? [] : [attachment('picture', image)];
  list.publish(
    sphere,
    'picture',
    { sha256, bytes: image?.length ?? 0 },
    { audience: { kind: 'members' }, attachments },
  );
}
