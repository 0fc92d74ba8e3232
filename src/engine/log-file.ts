import { appendFileSync, chmodSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LogEntry } from '../base/log.ts';

const MAX_BYTES = 2 * 1024 * 1024;
const KEPT_FILES = 5;
/** Fields that would tell what people write, share or protect, should a call ever log one. */
const PRIVATE_FIELD =
  /token|password|secret|passphrase|privatekey|mediakey|^key$|^text$|^body$|^url$|name$|^path$|file$/i;

/** A sink that appends JSON lines to `engine.log` in the folder and keeps four older files. */
export function createLogFile(folder: string): (entry: LogEntry) => void {
  const file = path.join(folder, 'engine.log');
  let size = existsSync(file) ? statSync(file).size : 0;
  return (entry) => {
    const line = `${JSON.stringify(withoutPrivate(entry))}\n`;
    try {
      if (size + line.length > MAX_BYTES) {
        rotate(file);
        size = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      if (size === 0) chmodSync(file, 0o600);
      size += Buffer.byteLength(line);
    } catch {
      // The disk is full or gone, and telling of it must not end the engine.
    }
  };
}

function rotate(file: string): void {
  rmSync(`${file}.${KEPT_FILES - 1}`, { force: true });
  for (let number = KEPT_FILES - 2; number >= 1; number -= 1) {
    if (existsSync(`${file}.${number}`)) renameSync(`${file}.${number}`, `${file}.${number + 1}`);
  }
  if (existsSync(file)) renameSync(file, `${file}.1`);
}

/** A last net under the rule that nothing private is logged. */
export function withoutPrivate(entry: LogEntry): LogEntry {
  return { ...entry, fields: scrubRecord(entry.fields) };
}

function scrubRecord(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, scrubField(key, value)]));
}

function scrubField(key: string, value: unknown): unknown {
  // An error's own name is its class.
  if (key !== 'name' && PRIVATE_FIELD.test(key)) return '[left out]';
  return scrub(value);
}

function scrub(value: unknown): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (Array.isArray(value)) return value.map(scrub);
  if (typeof value === 'object' && value !== null) return scrubRecord({ ...value });
  return value;
}

/** System errors quote the path they failed on, and addresses may carry tokens. */
function scrubText(text: string): string {
  return text
    .replace(/'[^']*[/\\][^']*'/g, "'[path]'")
    .replace(/([?&]token=)[\w-]+/g, '$1[left out]')
    .replace(/(\/media\/)[\w-]+\/[^\s'"]*/g, '$1[left out]');
}
