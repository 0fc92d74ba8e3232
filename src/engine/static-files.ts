import { open, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "font-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Serves the built UI. Answers false when there is no such file, so that the caller says 404. */
export async function serveStatic(
  folder: string,
  segments: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const file = await findFile(folder, segments);
  if (file === undefined) return false;
  const immutable = segments[0] === 'assets';
  await using handle = await open(file, 'r');
  const facts = await handle.stat();
  if (!facts.isFile()) return false;
  response.writeHead(200, {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-length': facts.size,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    // Built assets carry a hash in their name.
    'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-store',
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(handle.createReadStream({ autoClose: false }), response);
  return true;
}

/** Pages of the UI's router have no extension and are all index.html. */
async function findFile(folder: string, segments: readonly string[]): Promise<string | undefined> {
  const last = segments.at(-1) ?? '';
  const page = segments.every((segment) => !segment.startsWith('.')) && path.extname(last) === '';
  const relative = page ? ['index.html'] : segments;
  if (!relative.every((segment) => /^[\w@-][\w.@-]*$/.test(segment))) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, ...relative));
    return file.startsWith(root + path.sep) ? file : undefined;
  } catch {
    // Missing: the answer is 404 whatever the reason.
    return undefined;
  }
}
