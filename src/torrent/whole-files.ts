import type { Span } from './byte-space.ts';
import type { SmallFile, SmallFilesJob } from './small-files.ts';
import type { StoreFile } from './store-file.ts';

/** Fewer are read and written one by one: to tell a thread takes its time too. */
const FEWEST = 4;

/** Does such jobs somewhere; gives for each file whether it was done. */
export interface SmallFiles {
  run(job: SmallFilesJob): Promise<readonly boolean[]>;
}

/**
 * Reads or writes those files of a piece that lie in it as a whole, all in one go. Gives the spans that are done; all
 * others are for the usual way, which also says what is wrong with them.
 */
export async function doWholeFiles(
  kind: SmallFilesJob['kind'],
  { thread, files }: { readonly thread: SmallFiles | undefined; readonly files: readonly StoreFile[] },
  spans: readonly Span[],
  memory: Uint8Array,
): Promise<ReadonlySet<Span>> {
  if (thread === undefined) return new Set();
  const whole: { readonly span: Span; readonly file: StoreFile; readonly job: SmallFile }[] = [];
  for (const span of spans) {
    const file = span.kind === 'file' ? files[span.file] : undefined;
    if (file === undefined || span.length !== file.length) continue;
    const asked = kind === 'read' ? file.toRead : file.toMake;
    if (asked === null) continue;
    whole.push({ span, file, job: { ...asked, bytes: memory.subarray(span.at, span.at + span.length) } });
  }
  if (whole.length < FEWEST) return new Set();
  const done = await thread.run({ kind, files: whole.map(({ job }) => job) });
  const right = whole.filter((_, index) => done[index] === true);
  if (kind === 'write') for (const { file } of right) file.made();
  return new Set(right.map(({ span }) => span));
}
