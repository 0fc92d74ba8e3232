import type { MenuItemConstructorOptions } from 'electron';
import type { Words } from './words.ts';

/** The application's menu. On Linux and Windows it is hidden, but its keys for copying, zoom and full screen work. */
export function menuTemplate(platform: string, words: Words): MenuItemConstructorOptions[] {
  const application: MenuItemConstructorOptions[] =
    platform === 'darwin'
      ? [{ role: 'appMenu' }]
      : [{ label: 'Spherecast', submenu: [{ role: 'close' }, { role: 'quit', label: words.quit }] }];
  return [
    ...application,
    { label: words.menu.edit, role: 'editMenu' },
    {
      label: words.menu.view,
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
      ],
    },
    { label: words.menu.window, role: 'windowMenu' },
  ];
}
