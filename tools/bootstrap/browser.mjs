import { spawn } from 'node:child_process';
import { say } from './say.mjs';

/**
 * The system's command that opens a web address.
 * @param {string} platform
 * @param {string} url
 * @returns {[string, string[]]}
 */
export function openCommand(platform, url) {
  if (platform === 'darwin') return ['open', [url]];
  // Not `cmd /c start`: the shell would take an `&` of the address for the end of the command.
  if (platform === 'win32') return ['rundll32', ['url.dll,FileProtocolHandler', url]];
  return ['xdg-open', [url]];
}

/**
 * Opens the person's browser and does not wait for it.
 * @param {string} url
 */
export function openBrowser(url) {
  const [command, args] = openCommand(process.platform, url);
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.once('error', () => say('No browser could be opened: copy the address above into one.'));
  child.unref();
}
