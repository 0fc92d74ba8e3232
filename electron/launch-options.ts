import path from 'node:path';

export interface LaunchOptions {
  /** Absolute; undefined = the platform's data folder. */
  readonly profile: string | undefined;
}

/**
 * Reads the command line. Everything unknown is ignored: Chromium's own switches stand between ours, and an
 * address that a web page made the system open must not be able to do anything.
 */
export function readLaunchOptions(line: readonly string[], cwd: string): LaunchOptions {
  let profile: string | undefined;
  for (const [index, part] of line.entries()) {
    const value = part === '--profile' ? line[index + 1] : part.match(/^--profile=(.+)$/)?.[1];
    if (value !== undefined && !value.startsWith('--')) profile = path.resolve(cwd, value);
  }
  return { profile };
}

/** The command line that starts the same program for another profile. */
export function lineForProfile(line: readonly string[], folder: string): string[] {
  const isOld = (part: string, index: number): boolean =>
    part === '--profile' || part.startsWith('--profile=') || line[index - 1] === '--profile';
  return [...line.filter((part, index) => !isOld(part, index)), '--profile', folder];
}
