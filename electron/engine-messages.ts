import * as z from 'zod';
import { ERROR_CODES } from '../src/base/errors.ts';

/** What the main process and the engine's utility process say to each other. Numbers pair answers with questions. */

const id = z.number().int().nonnegative();

export const toEngineSchema = z.discriminatedUnion('kind', [
  /** The first message: everything the engine must know to start. */
  z.object({
    kind: z.literal('start'),
    profile: z.string().nullable(),
    /** null = the port of the last run if it is free, else any. */
    port: z.number().int().nullable(),
    /** null = a fresh one. */
    token: z.string().nullable(),
    /** Nobody said for whom the application is started. */
    asksWho: z.boolean(),
  }),
  z.object({ kind: z.literal('stop') }),
  z.object({ kind: z.literal('only-copies'), id }),
  /** Comes with the port that leads to the child; null when it could not be started. */
  z.object({ kind: z.literal('launched'), id, pid: z.number().int().nullable() }),
  z.object({ kind: z.literal('exited'), id, code: z.number().int().nullable() }),
  /** The answer to `seal` and `unseal`; null when the system keeps no secrets here. */
  z.object({ kind: z.literal('sealed'), id, text: z.string().nullable() }),
]);
export type ToEngine = z.infer<typeof toEngineSchema>;

export const fromEngineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ready'),
    /** `http://127.0.0.1:<port>` */
    origin: z.string(),
    port: z.number().int(),
    token: z.string(),
    /** The address that opens the UI, with its token. */
    url: z.string(),
  }),
  /** The engine could not start and ends. */
  z.object({ kind: z.literal('failed'), code: z.enum(ERROR_CODES), message: z.string() }),
  z.object({ kind: z.literal('only-copies'), id, names: z.array(z.string()) }),
  /** Asks for a utility process that runs one of the bundled programs. */
  z.object({
    kind: z.literal('launch'),
    id,
    program: z.string().regex(/^[\w-]+\.js$/),
    maxHeapMb: z.number().int().positive().nullable(),
  }),
  z.object({ kind: z.literal('kill'), id }),
  /** Asks the system's key store; binary data is base64. */
  z.object({ kind: z.literal('seal'), id, text: z.string() }),
  z.object({ kind: z.literal('unseal'), id, text: z.string() }),
]);
export type FromEngine = z.infer<typeof fromEngineSchema>;

/** A message port of Electron's main or utility process, as far as we use it. */
export interface MessagePort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  start(): void;
}

/** The end of a utility process that leads to the main process. */
export interface ParentPort {
  postMessage(message: unknown): void;
  on(
    event: 'message',
    listener: (event: { readonly data: unknown; readonly ports: readonly MessagePort[] }) => void,
  ): unknown;
}
