import { spawn } from 'node:child_process';

/** Shows an address in the person's browser. That there is none is no failure: the address was printed. */
export function openPage(url: string): void {
  const [program, ...args] = opener(url);
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

function opener(url: string): [string, ...string[]] {
  if (process.platform === 'darwin') return ['open', url];
  // The empty argument is the window title that `start` takes first.
  if (process.platform === 'win32') return ['cmd', '/c', 'start', '', url];
  return ['xdg-open', url];
}
