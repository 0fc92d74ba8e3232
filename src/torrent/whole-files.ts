import type { Span } from './byte-space.ts';
import { fileError } from './file-error.ts';
import type { ManyFiles } from './file-thread.ts';
import type { SmallFile, SmallFilesJob } from './small-files.ts';
import type { StoreFile } from './store-file.ts';

/** Fewer are read and written one by one: to tell a thread takes its time too. */
const FEWEST = 4;

/**
 * Reads or writes those files of a piece that lie in it as a whole, all in one go. Gives the spans that are done; all
 * others are for the usual way, which also says what is wrong with them.
 */
export async function doWholeFiles(
  kind: SmallFilesJob['kind'],
  { thread, files }: { readonly thread: ManyFiles | undefined; readonly files: readonly StoreFile[] },
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

/**
 * Puts files that were written on the disk for good, all in one go; the others are for `finish`. Gives those that the disk
 * does not take, by their index.
 */
export async function finishFiles(
  { thread, files }: { readonly thread: ManyFiles | undefined; readonly files: readonly StoreFile[] },
  signal: AbortSignal,
): Promise<Map<number, Error>> {
  const written = files.flatMap((file, index) => (file.toSync === null ? [] : [{ file, index, job: file.toSync }]));
  const done = await thread?.sync(
    written.map(({ job }) => job),
    signal,
  );
  const refused = new Map<number, Error>();
  for (const [at, { file, index }] of written.entries()) {
    const answer = done?.[at];
    if (typeof answer === 'string') {
      const cause = Object.assign(new Error(answer), { code: answer });
      refused.set(index, fileError(cause, 'cannot sync a file', { path: file.path }));
    } else if (answer !== undefined) {
      // The next user opens it for reading only.
      await file.adopt(answer);
    }
  }
  return refused;
}

/** Looks at files all in one go; gives those that are as they should be, the others are for `look`. */
export async function lookAtFiles(
  { thread, files }: { readonly thread: ManyFiles | undefined; readonly files: readonly StoreFile[] },
  signal: AbortSignal,
): Promise<ReadonlySet<StoreFile>> {
  const there = files.filter(({ isBegun }) => isBegun);
  const found = await thread?.look(
    there.map(({ path }) => path),
    signal,
  );
  return new Set(there.filter((file, index) => file.isAs(found?.[index])));
}
