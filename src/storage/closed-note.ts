import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as z from 'zod';

/** What no read comes upon is found at the latest after this time. */
const LOOKED_OVER_MS = 7 * 86_400_000;

const closedSchema = z.object({ mark: z.string(), lookedOverMs: z.number() });

/**
 * Beside a database lies a note of how it was when we closed it, and of when it was last looked over from end to end, which
 * takes longer the more there is. Whatever ended otherwise, or was touched by anybody since, has no note that fits.
 */
export class ClosedNote {
  readonly #path: string;
  readonly #note: string;

  constructor(path: string) {
    this.#path = path;
    this.#note = `${path}.closed`;
  }

  /** When it was looked over; null = that has to be done now. The note is gone then: it holds for one start. */
  take(nowMs: number): number | null {
    const closed = this.#read();
    rmSync(this.#note, { force: true });
    if (closed?.mark !== markOf(this.#path)) return null;
    const ageMs = nowMs - closed.lookedOverMs;
    return ageMs >= 0 && ageMs < LOOKED_OVER_MS ? closed.lookedOverMs : null;
  }

  leave(lookedOverMs: number): void {
    try {
      writeFileSync(this.#note, JSON.stringify({ mark: markOf(this.#path), lookedOverMs }), { mode: 0o600 });
    } catch {
      // Without it the next start looks the database over.
    }
  }

  #read(): z.infer<typeof closedSchema> | undefined {
    try {
      return closedSchema.safeParse(JSON.parse(readFileSync(this.#note, 'utf8'))).data;
    } catch {
      return undefined;
    }
  }
}

/** Of the database and of its log, which lies there when it was not closed. */
function markOf(path: string): string {
  return [path, `${path}-wal`]
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`))
    .join(' / ');
}
