/** The parts of a request that decide whether it may be looked at at all. */
export interface RequestFacts {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

/**
 * The status that refuses a request which a foreign web page may have caused, or undefined when it
 * may go on. Names that a hostile resolver points at this machine fail the Host check.
 */
export function refuseForeign(facts: RequestFacts, port: number): 403 | 405 | undefined {
  const hosts = [`127.0.0.1:${port}`, `[::1]:${port}`, `localhost:${port}`];
  if (facts.host === undefined || !hosts.includes(facts.host.toLowerCase())) return 403;
  if (facts.origin !== undefined && !hosts.some((host) => facts.origin?.toLowerCase() === `http://${host}`)) return 403;
  // Pages of other ports of this machine are "same-site"; they are as foreign as any.
  if (facts.fetchSite === 'cross-site' || facts.fetchSite === 'same-site') return 403;
  return facts.method === 'GET' || facts.method === 'HEAD' ? undefined : 405;
}

/** Whether a page of this computer leads the person here, in a window or tab as a whole. */
export function isArrival(
  facts: RequestFacts,
  headers: { readonly 'sec-fetch-mode'?: unknown; readonly 'sec-fetch-dest'?: unknown },
  port: number,
): boolean {
  const isWhole = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  const isNear = facts.fetchSite === 'same-site' && facts.method === 'GET';
  return isWhole && isNear && refuseForeign({ ...facts, fetchSite: undefined }, port) === undefined;
}

/** A request target taken apart; `segments` are decoded. */
export interface Target {
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

const MAX_TARGET = 4096;

/** Takes a request target apart; undefined for everything that is not a plain, decodable absolute path. */
export function parseTarget(target: string | undefined): Target | undefined {
  if (target === undefined || !target.startsWith('/') || target.length > MAX_TARGET) return undefined;
  const [pathPart = '', ...queryParts] = target.split('?');
  try {
    const segments = pathPart.slice(1).split('/').map(decodeURIComponent);
    if (segments.some(isUnsafe) || segments.slice(0, -1).includes('')) return undefined;
    return { segments, query: new URLSearchParams(queryParts.join('?')) };
  } catch {
    // URIError: the percent signs are no UTF-8.
    return undefined;
  }
}

function isUnsafe(segment: string): boolean {
  return segment === '.' || segment === '..' || /[/\\\p{Cc}]/u.test(segment);
}
