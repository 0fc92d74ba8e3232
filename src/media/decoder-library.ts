import type * as NodeAv from 'node-av';

export type DecoderLibrary = typeof NodeAv;

let loading: Promise<DecoderLibrary | null> | undefined;

/** FFmpeg's libraries; null on platforms where the optional package has no build. */
export function loadDecoders(): Promise<DecoderLibrary | null> {
  loading ??= load();
  return loading;
}

async function load(): Promise<DecoderLibrary | null> {
  try {
    const library = await import('node-av');
    // Hostile files would fill the log, and quote their own content in it.
    library.Log.setLevel(library.AV_LOG_QUIET);
    return library;
  } catch {
    // Optional: films are then probed by their containers and get no picture.
    return null;
  }
}
