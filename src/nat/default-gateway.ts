import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../base/errors.ts';
import { isPrivateAddress } from './ip-address.ts';
import { parseMacRoute, parseProcRoute, parseWindowsRoute } from './route-table.ts';

const COMMAND_MS = 5_000;
const run = promisify(execFile);

/** The router this machine sends through; `not-found` when there is none or it does not stand in a home network. */
export async function findDefaultGateway(signal: AbortSignal): Promise<string> {
  let address: string | undefined;
  try {
    address = await readRoute(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('not-found', 'the routes of this machine cannot be read', {}, error);
  }
  if (address === undefined || !isPrivateAddress(address)) throw new AppError('not-found', 'there is no router');
  return address;
}

async function readRoute(signal: AbortSignal): Promise<string | undefined> {
  if (process.platform === 'linux')
    return parseProcRoute(await readFile('/proc/net/route', { encoding: 'utf8', signal }));
  const options = { signal, timeout: COMMAND_MS, windowsHide: true };
  if (process.platform === 'darwin') {
    return parseMacRoute((await run('/sbin/route', ['-n', 'get', 'default'], options)).stdout);
  }
  if (process.platform === 'win32') {
    return parseWindowsRoute((await run('route.exe', ['print', '-4'], options)).stdout);
  }
  return undefined;
}
