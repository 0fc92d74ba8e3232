import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import path from 'node:path';
import sharp from 'sharp';
import type { InlineConfig, Plugin } from 'vite';
import { build } from 'vite';
import { inRoot } from './bootstrap/root.mjs';

/**
 * Bundles every program into dist/programs: the command line, which is also the engine without a window, the desktop
 * application, and what these start by themselves. A start from the sources reads and strips hundreds of files; installed
 * packages stay where they are.
 */

const OUTPUT = inRoot('dist', 'programs');
const PROGRAMS = {
  spherecast: 'src/cli/main.ts',
  main: 'electron/main.ts',
  engine: 'electron/engine.ts',
  child: 'electron/child.ts',
};
/** What consists of many small files: to find and read them takes longer than to run them. */
const BUNDLED = [/^zod($|\/)/, /^@orpc\//, /^radash$/, /^@noble\//, /^@xmpp\//, /^ltx($|\/)/, /^sasl/, /^koa-compose$/];
// `new URL('./x.ts', import.meta.url)` is how our code names a program that another process or thread runs.
const PROGRAM = /new URL\(\s*'(\.{1,2}\/[^']+)\.ts'\s*,\s*import\.meta\.url\s*\)/g;

/** Bundles each program that the code starts by its file, next to everything else, and points the code to it. */
function bundlePrograms(): Plugin {
  const emitted = new Set<string>();
  return {
    name: 'bundle-programs',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('.ts') || !code.includes('import.meta.url')) return null;
      const changed = code.replaceAll(PROGRAM, (_, relative: string) => {
        const file = path.resolve(path.dirname(id), `${relative}.ts`);
        const fileName = programName(file);
        if (!emitted.has(fileName)) this.emitFile({ type: 'chunk', id: file, fileName });
        emitted.add(fileName);
        return `new URL('./${fileName}', import.meta.url)`;
      });
      return changed === code ? null : { code: changed, map: null };
    },
  };
}

/** `src/swarm/main.ts` becomes `swarm-main.js`. */
function programName(file: string): string {
  const relative = path.relative(inRoot('src'), file).replace(/^(\.\.\/)*/, '');
  return `${relative.split(path.sep).join('-').replace(/\.ts$/, '')}.js`;
}

function configuration(
  inputs: Record<string, string>,
  output: { format: 'es' | 'cjs'; extension: string },
): InlineConfig {
  return {
    configFile: false,
    root: inRoot(),
    logLevel: 'warn',
    publicDir: false,
    plugins: [bundlePrograms()],
    ssr: { target: 'node', external: true, noExternal: BUNDLED },
    build: {
      ssr: true,
      target: 'node24',
      outDir: OUTPUT,
      emptyOutDir: false,
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        input: inputs,
        external: ['electron', ...builtinModules, /^node:/],
        output: {
          format: output.format,
          entryFileNames: `[name].${output.extension}`,
          // Beside the programs: relative addresses in our sources count folders from there.
          chunkFileNames: `part-[name]-[hash].${output.extension}`,
        },
      },
    },
  };
}

async function drawIcons(): Promise<void> {
  const source = inRoot('resources', 'icons', 'spherecast.svg');
  const sizes = { 'icon.png': 512, 'tray.png': 24, 'tray@2x.png': 48 };
  await Promise.all(
    Object.entries(sizes).map(async ([name, size]) => {
      const image = await sharp(source, { density: 300 }).resize(size, size).png().toBuffer();
      await writeFile(path.join(OUTPUT, name), image);
    }),
  );
}

await rm(OUTPUT, { recursive: true, force: true });
await mkdir(OUTPUT, { recursive: true });
const inputs = Object.fromEntries(Object.entries(PROGRAMS).map(([name, file]) => [name, inRoot(file)]));
await build(configuration(inputs, { format: 'es', extension: 'js' }));
// A sandboxed preload script is loaded as CommonJS and must be one file.
await build(configuration({ preload: inRoot('electron', 'preload.ts') }, { format: 'cjs', extension: 'cjs' }));
await cp(inRoot('src', 'storage', 'migrations'), path.join(OUTPUT, 'migrations'), { recursive: true });
await drawIcons();
