// Plain JavaScript for Node.js 20 and newer that imports nothing installed: it is what installs.
import { ensureInstalled } from './bootstrap/install.mjs';
import { root } from './bootstrap/root.mjs';
import { ensureRuntime } from './bootstrap/runtime.mjs';
import { Told, say } from './bootstrap/say.mjs';

/** @type {Record<string, (runtime: string, args: string[]) => Promise<number>>} */
const COMMANDS = {
  start: async (runtime, args) => (await import('./commands/start.mjs')).start(runtime, args),
  test: async (runtime, args) => (await import('./commands/test.mjs')).test(runtime, args, false),
  'test:long': async (runtime, args) => (await import('./commands/test.mjs')).test(runtime, args, true),
  check: async (runtime, args) => (await import('./commands/check.mjs')).check(runtime, args),
  bench: async (runtime, args) => (await import('./commands/programs.mjs')).bench(runtime, args),
  demo: async (runtime, args) => (await import('./commands/programs.mjs')).demo(runtime, args),
  smoke: async (runtime, args) => (await import('./commands/programs.mjs')).smoke(runtime, args),
  spherecast: async (runtime, args) => (await import('./commands/programs.mjs')).spherecast(runtime, args),
};

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;

try {
  if (command === undefined)
    throw new Told(`Usage: node tools/run.mjs ${Object.keys(COMMANDS).join(' | ')} [ARGUMENT …]`, 2);
  await ensureInstalled(root);
  process.exitCode = await command(await ensureRuntime(), args);
} catch (error) {
  if (!(error instanceof Told)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
