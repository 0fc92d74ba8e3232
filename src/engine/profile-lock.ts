import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { AppError } from '../base/errors.ts';
import { systemClock } from '../base/system-clock.ts';
import { diskError } from './disk-error.ts';
import { processStart } from './process-identity.ts';

const DAMAGED_MS = 10_000;

const holderSchema = z.object({
  pid: z.number().int().positive(),
  start: z.string().nullable(),
  machine: z.string().nullable(),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
});
type Holder = z.infer<typeof holderSchema>;

/** What lies under the lock's name: `nonce` tells one lock from every other. */
interface Found {
  readonly nonce: string;
  readonly pid: number | undefined;
  readonly alive: boolean;
}

/** A held profile lock; disposing it lets the next engine in. */
export interface ProfileLock extends Disposable {
  readonly pid: number;
}

/** Takes the lock file or throws `profile-in-use`. A lock whose process is gone is taken over. */
export function lockProfile(file: string): ProfileLock {
  const mine = claim(file, 0);
  if (mine === undefined) {
    throw new AppError('profile-in-use', 'another engine runs for this profile', { pid: look(file)?.pid });
  }
  return { pid: mine.pid, [Symbol.dispose]: () => release(file, mine) };
}

/** The living process that holds the lock, if any. */
export function lockHolder(file: string): { readonly pid: number } | undefined {
  const found = look(file);
  return found?.alive === true && found.pid !== undefined ? { pid: found.pid } : undefined;
}

/**
 * Takes `file`, or answers undefined when a living process has it. The remains of a dead process may
 * be replaced only by whoever holds a second lock, named after these very remains: of many engines
 * that find the same remains one wins, and one that comes late sees that they are gone.
 */
function claim(file: string, depth: number): Holder | undefined {
  const mine = describeSelf();
  const draft = `${file}.${mine.nonce}`;
  try {
    writeDraft(draft, JSON.stringify(mine));
    return place(file, draft, depth) ? mine : undefined;
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeDraft(draft: string, content: string): void {
  try {
    writeFileSync(draft, content, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    throw diskError('the profile folder cannot be locked', error);
  }
}

function place(file: string, draft: string, depth: number): boolean {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    if (linkNew(draft, file)) return true;
    const remains = look(file);
    // Released since the attempt to take it: try again.
    if (remains === undefined) continue;
    if (remains.alive || depth > 3) return false;
    return replaceRemains(file, draft, remains, depth);
  }
  return false;
}

function replaceRemains(file: string, draft: string, remains: Found, depth: number): boolean {
  const guardFile = `${file}.after-${remains.nonce.slice(0, 16)}`;
  const guard = claim(guardFile, depth + 1);
  if (guard === undefined) return false;
  try {
    if (look(file)?.nonce !== remains.nonce) return false;
    renameSync(draft, file);
    return true;
  } finally {
    release(guardFile, guard);
  }
}

/** Gives the draft its public name unless that exists: the content is there from the first moment. */
function linkNew(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') {
      throw diskError('the profile folder cannot be locked', error);
    }
    // FAT has no links: exclusive creation is as exclusive, only not complete from the first moment.
    return createNew(file, readFileSync(draft, 'utf8'));
  }
}

function createNew(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { mode: 0o600, flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw diskError('the profile folder cannot be locked', error);
  }
}

function release(file: string, mine: Holder): void {
  if (look(file)?.nonce === mine.nonce) rmSync(file, { force: true });
}

function describeSelf(): Holder {
  return {
    pid: process.pid,
    start: processStart(process.pid) ?? null,
    machine: machineId(),
    nonce: randomBytes(16).toString('hex'),
  };
}

/** Answers undefined when nothing is there. */
function look(file: string): Found | undefined {
  let text: string;
  let changedMs: number;
  try {
    text = readFileSync(file, 'utf8');
    changedMs = statSync(file).mtimeMs;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw diskError('the lock of the profile cannot be read', error);
  }
  const holder = holderSchema.safeParse(parseJson(text));
  if (holder.success) return { nonce: holder.data.nonce, pid: holder.data.pid, alive: isAlive(holder.data) };
  // Not ours or cut off by a power failure. A young one may still be in the middle of being written.
  const nonce = createHash('sha256').update(`${changedMs} ${text}`).digest('hex').slice(0, 32);
  return { nonce, pid: undefined, alive: systemClock.now() - changedMs < DAMAGED_MS };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses undefined, which is all the caller wants to know.
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  // A profile on a network drive may be in use on another machine, whose processes cannot be asked.
  if (holder.machine !== machineId() && holder.machine !== null) return true;
  const start = processStart(holder.pid);
  if (start === undefined) return false;
  return start === null || holder.start === null || start === holder.start;
}

/** Host names change with the network a laptop is in, so only a real machine id counts. */
function machineId(): string | null {
  try {
    const id = readFileSync('/etc/machine-id', 'utf8').trim();
    return createHash('sha256').update(`spherecast lock ${id}`).digest('hex').slice(0, 16);
  } catch {
    // Platforms without one: the process number must do.
    return null;
  }
}
