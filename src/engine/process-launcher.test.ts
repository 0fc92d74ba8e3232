import { expect, test, vi } from 'vitest';
import { childEnvironment } from './process-launcher.ts';

test('children sync many files at a time and copy without the slow instruction, unless the person said otherwise', () => {
  expect(childEnvironment()).toMatchObject({
    UV_THREADPOOL_SIZE: '16',
    GLIBC_TUNABLES: expect.stringContaining('x86_rep_movsb_threshold'),
  });
  vi.stubEnv('GLIBC_TUNABLES', 'glibc.malloc.arena_max=1');
  vi.stubEnv('UV_THREADPOOL_SIZE', '8');
  expect(childEnvironment()).toMatchObject({
    UV_THREADPOOL_SIZE: '8',
    GLIBC_TUNABLES: 'glibc.malloc.arena_max=1',
  });
  vi.unstubAllEnvs();
});
