import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import * as z from 'zod';

/**
 * `rpc-bridge.ts PROFILE SOCKET`: runs on a host of the laboratory and joins a socket in the file system, which
 * programs outside can call, with the engine that runs there for the profile.
 */
const [profile = '', file = ''] = process.argv.slice(2);
const engineFile = z.object({ url: z.string() });
const server = createServer((caller) => {
  const engine = connect(Number(new URL(url()).port), '127.0.0.1');
  caller.on('error', () => engine.destroy());
  engine.on('error', () => caller.destroy());
  caller.pipe(engine).pipe(caller);
});
server.listen(file, () => console.log('ready'));

function url(): string {
  return engineFile.parse(JSON.parse(readFileSync(path.join(profile, 'engine.json'), 'utf8'))).url;
}
