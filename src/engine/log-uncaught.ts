import type { Logger } from '../base/log.ts';

/** Notes why the process dies of an error that nobody caught. It only watches: the process ends all the same. */
export function logUncaught(log: Logger): void {
  // The process ends right after its listeners: what waits even for a promise is never written.
  process.on('uncaughtExceptionMonitor', (error, origin) => log.error('uncaught', { error, origin }));
}
