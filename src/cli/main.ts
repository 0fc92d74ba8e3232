import { openOnDesktop } from '../engine/open-on-desktop.ts';
import { processIo } from './process-io.ts';
import { runCli } from './run.ts';

// The reader of a pipe may have seen enough.
process.stdout.on('error', () => process.exit(1));
// Nobody reads the log any more: what it tells of goes on.
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2), {
  io: processIo,
  openPage: openOnDesktop,
  // Loaded only to serve: every other command starts without databases and protocols.
  startEngine: async (options) => {
    const { createServices } = await import('../engine/create-services.ts');
    const { serveWith } = await import('../engine/serve.ts');
    return serveWith(createServices)(options);
  },
});
