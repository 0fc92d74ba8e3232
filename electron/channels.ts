/** What the page may ask of the main process, through the preload script and nothing else. */
export interface Channels {
  /** Shows a notification of the system. */
  readonly notify: { readonly input: readonly [title: string, body: string]; readonly output: null };
  /** The system's own file dialog; resolves with absolute paths, none when cancelled. */
  readonly pickFiles: { readonly input: readonly [options: { readonly folders: boolean }]; readonly output: string[] };
  /** Opens the window of another person of this computer, and closes this one; false when nobody has that id. */
  readonly openProfile: { readonly input: readonly [id: string]; readonly output: boolean };
}

export type ChannelName = keyof Channels;

/** The names on the wire. */
export const CHANNELS = {
  notify: 'spherecast:notify',
  pickFiles: 'spherecast:pick-files',
  openProfile: 'spherecast:open-profile',
} as const satisfies Record<ChannelName, string>;
