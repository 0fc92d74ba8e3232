/** What the page may ask of the main process, through the preload script and nothing else. */
export interface Channels {
  /** Shows a notification of the system. */
  readonly notify: { readonly input: readonly [title: string, body: string]; readonly output: null };
  /** The system's own file dialog; resolves with absolute paths, none when cancelled. */
  readonly pickFiles: { readonly input: readonly [options: { readonly folders: boolean }]; readonly output: string[] };
}

export type ChannelName = keyof Channels;

/** The names on the wire. */
export const CHANNELS = {
  notify: 'spherecast:notify',
  pickFiles: 'spherecast:pick-files',
} as const satisfies Record<ChannelName, string>;
