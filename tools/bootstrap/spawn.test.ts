import { describe, expect, test } from 'vitest';
import { exitCode, run } from './spawn.mjs';

describe('running a command', () => {
  test('exit code and output come back', async () => {
    const result = await run(process.execPath, ['-e', 'console.log("out"); console.error("err"); process.exit(3)'], {
      streams: 'quiet',
    });
    expect({ ...result, ms: 0, output: result.output.split('\n').toSorted() }).toEqual({
      code: 3,
      output: ['', 'err', 'out'],
      ms: 0,
      timedOut: false,
      interrupted: false,
    });
  });

  test('a command that does not end is ended with everything it started', async () => {
    const grandchild = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }); setInterval(() => {}, 1000)`;
    const result = await run(process.execPath, ['-e', grandchild], { streams: 'quiet', timeoutMs: 300, group: true });
    expect(result.timedOut).toBe(true);
    expect(result.code).not.toBe(0);
  });

  test('an end by signal becomes the exit code a shell would give', () => {
    expect(exitCode(null, 'SIGTERM')).toBe(143);
    expect(exitCode(7, null)).toBe(7);
    expect(exitCode(null, null)).toBe(1);
  });

  test('a signal reaches the child, whose own exit code counts', async () => {
    const child =
      "process.on('SIGHUP', () => process.exit(7)); process.kill(process.ppid, 'SIGHUP'); setInterval(() => {}, 1000)";
    const result = await run(process.execPath, ['-e', child], { streams: 'quiet', timeoutMs: 5000 });
    expect(result).toMatchObject({ code: 7, interrupted: true, timedOut: false });
  });

  test('a missing command is an error', async () => {
    await expect(run('spherecast-no-such-command', [])).rejects.toThrow('ENOENT');
  });
});
