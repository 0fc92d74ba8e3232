import { availableParallelism } from 'node:os';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './tools/longest-first.ts';

export default defineConfig({
  plugins: [vue()],
  test: {
    // Left to itself vitest spares a core, which on two cores is half of the machine.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // A busy machine takes its time; who waits in vain is told by the test's own time-out.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          include: [
            'src/**/*.test.ts',
            'electron/**/*.test.ts',
            'tools/**/*.test.ts',
            'test/*.test.ts',
            'test/sim/**/*.test.ts',
          ],
          exclude: ['src/**/*.ui.test.ts'],
          // Modules keep no state and get world and time handed in, so files can share a process, which saves half of the time.
          isolate: false,
          // A larger nursery: what a test made is dead by the time it is collected, which saves a twentieth of the time.
          execArgv: ['--max-semi-space-size=32'],
          // Properties with tens of thousands of runs take their time on a busy machine.
          testTimeout: process.env['SPHERECAST_LONG'] === '1' ? 1_200_000 : 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'ui',
          environment: 'happy-dom',
          include: ['src/**/*.ui.test.ts'],
          // A page for each file takes longer to make than its tests, which keep nothing in it.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          globalSetup: ['test/fixtures/build-programs.ts'],
          environment: 'node',
          include: ['test/integration/**/*.test.ts'],
          // Every wait inside is bounded; real processes on a busy machine take several times as long.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // More than half of it is waiting: three files at once keep two cores busy.
          maxWorkers: 3,
        },
      },
      {
        extends: true,
        test: {
          name: 'netlab',
          globalSetup: ['test/fixtures/build-programs.ts'],
          environment: 'node',
          include: ['test/netlab/**/*.test.ts'],
          // Every wait inside is bounded; a busy machine takes several times as long to start all those processes.
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // Much of it is waiting: two laboratories stand side by side.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          globalSetup: ['test/fixtures/build-programs.ts'],
          environment: 'node',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          // Of those that a file lets run side by side: pages wait for what fades and slides, and a third one would make the others late.
          maxConcurrency: 2,
        },
      },
    ],
    coverage: { provider: 'v8', include: ['src/**'] },
  },
});
