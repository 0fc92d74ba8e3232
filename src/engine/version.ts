import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** The product's version; `package.json` lies two folders up, in a checkout as in a packaged application. */
export function productVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
