import type { Probe } from '../contract/media.ts';
import { kindOfType, PLAIN_BYTES, typeOfName } from '../player/media-type.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';

/** What the sharer found in the file. A claim like everything else about it: it only chooses how to show the file. */
export function probeOf(file: ManifestFile): Probe {
  const { probe } = file;
  const type = typeOf(file);
  return {
    kind: kindOfType(type),
    type,
    durationMs: probe?.durationMs ?? null,
    width: probe?.width ?? null,
    height: probe?.height ?? null,
    streams: (probe?.codecs ?? []).flatMap(readStream),
    indexRanges: (probe?.index ?? []).map(({ offset, length }) => ({ from: offset, to: offset + length })),
  };
}

/** Where nobody has looked into the file (a torrent from elsewhere, a folder of very many) its name must do. */
export function typeOf(file: ManifestFile): string {
  return file.type === PLAIN_BYTES ? typeOfName(file.path.at(-1) ?? '') : file.type;
}

function readStream(text: string): Probe['streams'] {
  const [kind, codec] = text.split(':', 2);
  if (codec === undefined) return [];
  return kind === 'video' || kind === 'audio' || kind === 'subtitle' ? [{ kind, codec }] : [{ kind: 'other', codec }];
}
