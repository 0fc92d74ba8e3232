import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { AppError } from '../src/base/errors.ts';
import type { MessagePort, ParentPort } from './engine-messages.ts';

/**
 * A child of the engine in a utility process. Its program finds what `child_process.fork` would give it, a
 * channel to its parent as part of `process`, and so needs to know nothing of Electron.
 */

const { parentPort } = process as { parentPort?: ParentPort };
const program = process.argv.at(-1) ?? '';
if (parentPort === undefined || !/^[\w-]+\.js$/.test(program)) {
  throw new AppError('internal', 'this program is started by the desktop application');
}
const { promise, resolve } = Promise.withResolvers<MessagePort | undefined>();
parentPort.on('message', ({ ports }) => resolve(ports[0]));
const port = await promise;
if (port === undefined) throw new AppError('internal', 'the desktop application gave no port');

let connected = true;
Object.defineProperty(process, 'connected', { get: () => connected });
Object.defineProperty(process, 'send', {
  value: (message: unknown, _handle: unknown, _options: unknown, done?: (error: Error | null) => void): boolean => {
    if (connected) port.postMessage(message);
    done?.(connected ? null : new AppError('disconnected', 'the engine is gone'));
    return connected;
  },
});
port.on('close', () => {
  connected = false;
  process.emit('disconnect');
});
await import(pathToFileURL(path.join(import.meta.dirname, program)).href);
// What the engine sent in the meantime waits in the port until here.
port.on('message', ({ data }) => process.emit('message', data, undefined));
port.start();
