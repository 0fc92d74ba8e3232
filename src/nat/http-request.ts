import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { withinTime } from '../base/within-time.ts';

const TIME_MS = 5_000;
const MOST_BODY_BYTES = 64 * 1024;
const MOST_HEADER_BYTES = 8 * 1024;

export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The address of this machine to ask from; the system's choice when left out. */
  readonly from?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** The address of this machine that the request left from. */
  readonly localAddress: string;
}

/** One bounded request to a router: no redirects, no kept connection, 64 KiB, five seconds. */
export function requestHttp(request: HttpRequest, clock: Clock, signal: AbortSignal): Promise<HttpAnswer> {
  return withinTime({ clock, ms: TIME_MS }, signal, async (limited) => {
    try {
      return await exchange(request, limited);
    } catch (error) {
      if (limited.aborted) throw limited.reason;
      if (error instanceof AppError) throw error;
      throw new AppError('not-found', 'the router cannot be asked', {}, error);
    }
  });
}

function exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { method, body, from } = request;
    const headers = {
      ...request.headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    };
    const options = {
      method,
      headers,
      agent: false,
      signal,
      maxHeaderSize: MOST_HEADER_BYTES,
      ...(from === undefined ? {} : { localAddress: from }),
    };
    const call = httpRequest(request.url, options, (response) => {
      const localAddress = response.socket.localAddress ?? '';
      readBody(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, body: text, localAddress }),
        (error: unknown) => {
          reject(error);
          call.destroy();
        },
      );
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes: Buffer = chunk;
    length += bytes.length;
    if (length > MOST_BODY_BYTES) throw new AppError('too-large', 'the router sends too much');
    chunks.push(bytes);
  }
  // Names in a description may be in any encoding; what we read of it is ASCII.
  return Buffer.concat(chunks).toString('utf8');
}
