import type { AppEvent } from '../contract/views.ts';

/** Something the person should read once. */
export type Notice = Omit<Extract<AppEvent, { kind: 'notice' }>, 'kind'>;
