import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { ChannelName, Channels } from './channels.ts';
import { CHANNELS } from './channels.ts';

/** Runs sandboxed before the page and gives it the few things a browser does not have. */

function ask<Name extends ChannelName>(
  name: Name,
  ...input: Channels[Name]['input']
): Promise<Channels[Name]['output']> {
  return ipcRenderer.invoke(CHANNELS[name], ...input);
}

contextBridge.exposeInMainWorld('desktop', {
  platform: process.platform,
  pathForFile: (file: File): string => webUtils.getPathForFile(file),
  notify: (title: string, body: string): void => void ask('notify', title, body),
  pickFiles: (options: { folders: boolean }): Promise<string[]> => ask('pickFiles', { folders: options.folders }),
  openProfile: (id: string): Promise<boolean> => ask('openProfile', id),
});
