import type { Menu, Tray } from 'electron';
import type { Words } from './words.ts';

interface TrayDeps {
  readonly Tray: typeof Tray;
  readonly Menu: Pick<typeof Menu, 'buildFromTemplate'>;
  readonly icon: string;
  readonly words: Words;
  readonly onOpen: () => void;
  readonly onQuit: () => void;
}

/** The icon in the system bar: it shows that Spherecast runs without a window, and is the way back and out. */
export function createTray(deps: TrayDeps): Tray {
  const tray = new deps.Tray(deps.icon);
  tray.setToolTip('Spherecast');
  tray.setContextMenu(
    deps.Menu.buildFromTemplate([
      { label: deps.words.open, click: deps.onOpen },
      { type: 'separator' },
      { label: deps.words.quit, click: deps.onQuit },
    ]),
  );
  tray.on('click', deps.onOpen);
  return tray;
}
