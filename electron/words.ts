import type { ErrorCode } from '../src/base/errors.ts';

/** The few sentences that the shell itself says; the page has its own. */
export interface Words {
  readonly open: string;
  readonly quit: string;
  readonly keepsSharing: { readonly title: string; readonly body: string };
  readonly onlyCopy: {
    readonly title: (count: number) => string;
    readonly detail: (names: readonly string[]) => string;
    readonly stay: string;
    readonly leave: string;
  };
  readonly failed: { readonly title: string; readonly reason: (code: ErrorCode) => string };
  readonly menu: { readonly edit: string; readonly view: string; readonly window: string };
}

const SHOWN_NAMES = 5;

function list(names: readonly string[], more: (count: number) => string): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name) => `• ${name}`);
  if (names.length > SHOWN_NAMES) shown.push(more(names.length - SHOWN_NAMES));
  return shown.join('\n');
}

const en: Words = {
  open: 'Open Spherecast',
  quit: 'Quit Spherecast',
  keepsSharing: {
    title: 'Spherecast keeps sharing',
    body: 'The window is closed, but the others can still get your films. Open it again from your applications, and quit from the icon in the system bar.',
  },
  onlyCopy: {
    title: (count) => (count === 1 ? 'Nobody else has this yet' : `Nobody else has these ${count} things yet`),
    detail: (names) =>
      `${list(names, (count) => `… and ${count} more`)}\n\nYour files stay on this computer. The others can get them only while Spherecast is open here.`,
    stay: 'Keep sharing',
    leave: 'Quit anyway',
  },
  failed: {
    title: 'Spherecast could not start',
    reason: (code) =>
      failuresEn[code] ?? 'Something unexpected happened. Your files are untouched. Please start Spherecast again.',
  },
  menu: { edit: 'Edit', view: 'View', window: 'Window' },
};

const failuresEn: Partial<Record<ErrorCode, string>> = {
  'profile-in-use':
    'Spherecast is already running. Two at once would damage your data, so this one stopped. Use the window or the browser page that is open, or end the other one first.',
  'secrets-unavailable':
    'Your keys cannot be opened. Nothing is lost, but messages and files stay locked. Unlock your computer’s keychain and start Spherecast again.',
  'database-newer':
    'Your data was written by a newer Spherecast. This version does not touch it, so that nothing gets lost. Install the newest Spherecast.',
  'database-damaged':
    'Your data on this computer is damaged. Your shared files are untouched; a copy of the data from before is kept beside it.',
  'disk-full': 'The disk is full. Your files are untouched. Free some space and start Spherecast again.',
  'disk-error':
    'The folder of Spherecast cannot be read or written. Check that the disk is connected and that you may write to it.',
};

const fr: Words = {
  open: 'Ouvrir Spherecast',
  quit: 'Quitter Spherecast',
  keepsSharing: {
    title: 'Spherecast continue de partager',
    body: 'La fenêtre est fermée, mais les autres peuvent toujours recevoir vos films. Rouvrez-la depuis vos applications, et quittez par l’icône de la barre système.',
  },
  onlyCopy: {
    title: (count) =>
      count === 1 ? 'Personne d’autre ne l’a encore' : `Personne d’autre n’a encore ces ${count} éléments`,
    detail: (names) =>
      `${list(names, (count) => `… et ${count} de plus`)}\n\nVos fichiers restent sur cet ordinateur. Les autres ne peuvent les recevoir que tant que Spherecast est ouvert ici.`,
    stay: 'Continuer de partager',
    leave: 'Quitter quand même',
  },
  failed: {
    title: 'Spherecast n’a pas pu démarrer',
    reason: (code) =>
      failuresFr[code] ?? 'Un imprévu est survenu. Vos fichiers sont intacts. Veuillez redémarrer Spherecast.',
  },
  menu: { edit: 'Édition', view: 'Affichage', window: 'Fenêtre' },
};

const failuresFr: Partial<Record<ErrorCode, string>> = {
  'profile-in-use':
    'Spherecast est déjà ouvert. Deux à la fois abîmeraient vos données, celui-ci s’est donc arrêté. Utilisez la fenêtre ou la page déjà ouverte, ou fermez d’abord l’autre.',
  'secrets-unavailable':
    'Vos clés ne peuvent pas être ouvertes. Rien n’est perdu, mais messages et fichiers restent verrouillés. Déverrouillez le trousseau de votre ordinateur et redémarrez Spherecast.',
  'database-newer':
    'Vos données viennent d’un Spherecast plus récent. Cette version n’y touche pas, pour que rien ne se perde. Installez le Spherecast le plus récent.',
  'database-damaged':
    'Vos données sur cet ordinateur sont abîmées. Vos fichiers partagés sont intacts ; une copie des données d’avant est gardée à côté.',
  'disk-full': 'Le disque est plein. Vos fichiers sont intacts. Libérez de la place et redémarrez Spherecast.',
  'disk-error':
    'Le dossier de Spherecast ne peut pas être lu ou écrit. Vérifiez que le disque est branché et que vous pouvez y écrire.',
};

/** The words in the first of the person's languages that we speak, else in English. */
export function wordsFor(languages: readonly string[]): Words {
  for (const tag of languages) {
    const primary = tag.toLowerCase().split(/[-_]/)[0];
    if (primary === 'en') return en;
    if (primary === 'fr') return fr;
  }
  return en;
}
