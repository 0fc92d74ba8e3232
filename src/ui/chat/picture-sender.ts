import { toBase64, toHex } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { SphereId } from '../../base/id.ts';
import type { EngineLine } from '../stores/engine.ts';

/** Bytes that fit into one message to the engine. */
const PART_BYTES = 480 * 1024;

/** Gives the engine a picture that lies in no file; resolves when it is on its way to the others. */
export async function sendPicture(
  engine: Pick<EngineLine, 'call'>,
  { sphereId, name, picture }: { readonly sphereId: SphereId; readonly name: string; readonly picture: Blob },
): Promise<void> {
  if (picture.size === 0) throw new AppError('bad-input', 'the picture is empty');
  const pictureId = toHex(crypto.getRandomValues(new Uint8Array(16)));
  for (let from = 0; from < picture.size; from += PART_BYTES) {
    const bytes = new Uint8Array(await picture.slice(from, from + PART_BYTES).arrayBuffer());
    const isLast = from + PART_BYTES >= picture.size;
    await engine.call((client) => client.items.paste({ sphereId, pictureId, name, part: toBase64(bytes), isLast }));
  }
}

/** The pictures among what was pasted or dropped; nothing when there are words too, which are meant then. */
export function picturesIn(data: DataTransfer | null): File[] {
  if (data === null || data.types.includes('text/plain')) return [];
  const files = Array.from(data.files);
  const isPicture = ({ type }: File): boolean => /^image\/(png|jpeg|webp|gif)$/.test(type);
  return files.every(isPicture) ? files : [];
}
