import type { IpcMain, IpcMainInvokeEvent } from 'electron';
import * as z from 'zod';
import type { ChannelName, Channels } from './channels.ts';
import { CHANNELS } from './channels.ts';

const inputs = {
  notify: z.tuple([z.string().max(300), z.string().max(2000)]),
  pickFiles: z.tuple([z.object({ folders: z.boolean() })]),
  openProfile: z.tuple([z.string().max(64)]),
} satisfies { [Name in ChannelName]: z.ZodType<Channels[Name]['input']> };

export type IpcHandlers = {
  readonly [Name in ChannelName]: (
    ...input: Channels[Name]['input']
  ) => Promise<Channels[Name]['output']> | Channels[Name]['output'];
};

interface IpcDeps {
  readonly ipcMain: Pick<IpcMain, 'handle'>;
  /** Whether the address belongs to our own page. */
  readonly isOwnPage: (url: string) => boolean;
  readonly handlers: IpcHandlers;
}

/** Answers our page on every channel; anybody else and anything malformed is refused. */
export function serveIpc(deps: IpcDeps): void {
  serve(deps, 'notify');
  serve(deps, 'pickFiles');
  serve(deps, 'openProfile');
}

function serve<Name extends ChannelName>({ ipcMain, isOwnPage, handlers }: IpcDeps, name: Name): void {
  ipcMain.handle(CHANNELS[name], async (event, ...args: unknown[]) => {
    if (!isFromOwnPage(event, isOwnPage)) throw new Error('not for this page');
    const input = inputs[name].safeParse(args);
    // The page learns that it was wrong, not how: a hostile page would learn from the details.
    if (!input.success) throw new Error('malformed arguments');
    return handlers[name](...(input.data as unknown as Channels[Name]['input']));
  });
}

/** Frames inside the page have no business here. */
function isFromOwnPage({ senderFrame }: IpcMainInvokeEvent, isOwnPage: (url: string) => boolean): boolean {
  return senderFrame !== null && senderFrame.parent === null && isOwnPage(senderFrame.url);
}
