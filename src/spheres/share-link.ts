import { resolve } from 'node:path';
import type { Logger } from '../base/log.ts';
import { isWithin } from '../torrent/is-within.ts';
import type { LinkToPlace } from '../torrent/place-files.ts';
import { placeLink, removeLink } from '../torrent/place-files.ts';

/**
 * The link in a sphere's folder that shows people what is shared from elsewhere; nothing depends on it. It is made
 * before the share is sure, and taken away when it is disposed without having been kept.
 */
export class ShareLink implements AsyncDisposable {
  readonly #log: Logger;
  readonly #target: string;
  #path: string | null;

  private constructor(deps: { log: Logger }, target: string, path: string | null) {
    this.#log = deps.log;
    this.#target = target;
    this.#path = path;
  }

  static async place(link: LinkToPlace, deps: { log: Logger }, signal: AbortSignal): Promise<ShareLink> {
    const none = new ShareLink(deps, link.target, null);
    const [folder, target] = [resolve(link.folder), resolve(link.target)];
    // What lies in the sphere's folder already needs no link there.
    if (target !== folder && isWithin(folder, target)) return none;
    try {
      return new ShareLink(deps, link.target, await placeLink(link, signal));
    } catch (error) {
      signal.throwIfAborted();
      deps.log.info('no link in the sphere folder', { error });
      return none;
    }
  }

  /** For what has its link already. */
  static none(deps: { log: Logger }): ShareLink {
    return new ShareLink(deps, '', null);
  }

  /** One that an earlier run of the program made. */
  static placed(link: { readonly path: string; readonly target: string }, deps: { log: Logger }): ShareLink {
    return new ShareLink(deps, link.target, link.path);
  }

  /** null = there is none, or it stays. */
  get path(): string | null {
    return this.#path;
  }

  keep(): void {
    this.#path = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#path === null) return;
    try {
      await removeLink({ path: this.#path, target: this.#target });
    } catch (error) {
      // It shows something that is not shared, and does no other harm.
      this.#log.warn('a link stays in the sphere folder', { error });
    }
  }
}
