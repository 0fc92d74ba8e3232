import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MODULE = new URL('./log-uncaught.ts', import.meta.url).href;

/** What a process logs that dies in the given way, and its exit code. */
function die(how: string): { lines: unknown[]; code: number | null } {
  const program = `
    import { writeSync } from 'node:fs';
    import { logUncaught } from '${MODULE}';
    const error = (text, { error, origin }) => writeSync(1, JSON.stringify([text, error.message, origin]) + '\\n');
    logUncaught({ error });
    setTimeout(() => { ${how} }, 1);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as unknown), code: status };
}

test('an error that nobody caught ends the process, and the log says which', () => {
  expect(die('throw new Error("boom");')).toEqual({ lines: [['uncaught', 'boom', 'uncaughtException']], code: 1 });
  expect(die('void Promise.reject(new Error("lost"));')).toEqual({
    lines: [['uncaught', 'lost', 'unhandledRejection']],
    code: 1,
  });
});
