/** What the desktop shell adds to the page; a browser has none of it. */
export interface Desktop {
  readonly platform: string;
  /** The real path of a dropped file or folder. */
  pathForFile(file: File): string;
  notify(title: string, body: string): void;
  /** Opens the window of another person of this computer, and closes this one. */
  openProfile?(id: string): Promise<boolean>;
  /** The system's own file dialog; resolves with real paths, none when cancelled. */
  pickFiles?(options: { readonly folders: boolean }): Promise<string[]>;
}

declare global {
  interface Window {
    readonly desktop?: Desktop;
  }
}

/** The desktop shell, or null in a browser. */
export function desktop(): Desktop | null {
  return window.desktop ?? null;
}
