import type { Session, WebContents } from 'electron';

/** Whether an address is a page of the engine at `origin`; without an engine nothing is. */
export function isOwnPage(url: string, origin: string | undefined): boolean {
  try {
    return origin !== undefined && new URL(url).origin === origin;
  } catch {
    // Not an address at all.
    return false;
  }
}

/** Anything else could start a program or open a file. */
function isWebPage(url: string): boolean {
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}

type Leaving = { readonly url: string; preventDefault(): void };

interface GuardedContents {
  setWindowOpenHandler: WebContents['setWindowOpenHandler'];
  on(event: 'will-navigate' | 'will-redirect' | 'will-frame-navigate', listener: (event: Leaving) => void): unknown;
  on(event: 'will-attach-webview', listener: (event: { preventDefault(): void }) => void): unknown;
}

/**
 * Keeps a page where it is: no other site, no second window, no embedded page. A link that the person follows goes to
 * `openOutside`, the system's own browser.
 */
export function guardNavigation(
  contents: GuardedContents,
  origin: () => string | undefined,
  openOutside: (url: string) => void,
): void {
  const stay = (event: Leaving): void => {
    if (!isOwnPage(event.url, origin())) event.preventDefault();
  };
  contents.on('will-navigate', stay);
  contents.on('will-redirect', stay);
  contents.on('will-frame-navigate', stay);
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    if (isWebPage(url) && !isOwnPage(url, origin())) openOutside(url);
    return { action: 'deny' };
  });
}

/** What the player needs; microphone, place and everything else are refused without a question. */
const ALLOWED: readonly string[] = ['fullscreen', 'screen-wake-lock', 'clipboard-sanitized-write'];

/** The camera, for reading a code from another screen; never with sound. */
function isCamera(permission: string, kinds: readonly string[]): boolean {
  return permission === 'media' && kinds.length > 0 && kinds.every((kind) => kind === 'video');
}

/** Refuses permissions, and every request that would leave this computer. */
export function restrictSession(
  session: Pick<Session, 'setPermissionRequestHandler' | 'setPermissionCheckHandler'> & {
    readonly webRequest: Pick<Session['webRequest'], 'onBeforeRequest'>;
  },
  origin: () => string | undefined,
): void {
  session.setPermissionRequestHandler((contents, permission, answer, details) => {
    const kinds = 'mediaTypes' in details ? (details.mediaTypes ?? []) : [];
    answer((ALLOWED.includes(permission) || isCamera(permission, kinds)) && isOwnPage(contents.getURL(), origin()));
  });
  session.setPermissionCheckHandler((_contents, permission, requester, { mediaType }) => {
    const isAllowed = ALLOWED.includes(permission) || isCamera(permission, [mediaType ?? 'unknown']);
    return isAllowed && isOwnPage(requester, origin());
  });
  session.webRequest.onBeforeRequest(
    { urls: ['http://*/*', 'https://*/*', 'ws://*/*', 'wss://*/*'] },
    (request, answer) => answer({ cancel: !isOwnPage(request.url.replace(/^ws/, 'http'), origin()) }),
  );
}
