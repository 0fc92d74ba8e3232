import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AppError } from '../base/errors.ts';

/** The program that opens things as a double-click does, and its fixed arguments. */
function opener(): readonly [string, ...string[]] {
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32.exe', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}

/** Opens a file, folder or address of ours with the program the person uses for it. */
export async function openOnDesktop(target: string): Promise<void> {
  const [program, ...args] = opener();
  const child = spawn(program, [...args, target], { detached: true, stdio: 'ignore' });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new AppError('not-found', 'there is no program that opens things on this computer', { program }, error);
  }
  child.unref();
}
