import { useToast } from '@nuxt/ui/composables';
import { useI18n } from 'vue-i18n';
import { desktop } from './desktop.ts';
import { toAppError } from './failure.ts';

/** Says things once, in a corner, in the person's language. */
export function useNotify() {
  const toast = useToast();
  const { t, te } = useI18n();

  /** What happened, what it means and what to do, after something the person asked for failed. */
  function failure(error: unknown): void {
    const { code } = toAppError(error);
    // The person asked for it: nothing to explain.
    if (code === 'cancelled') return;
    toast.add({
      id: `error-${code}`,
      title: t(`error.${code}`),
      description: `${t(`meaning.${code}`)} ${t(`remedy.${code}`)}`,
      color: 'error',
      icon: 'i-lucide-circle-alert',
      duration: 12_000,
    });
  }

  function success(title: string, description?: string): void {
    toast.add({
      title,
      ...(description === undefined ? {} : { description }),
      color: 'success',
      icon: 'i-lucide-circle-check',
      duration: 4_000,
    });
  }

  /** Done, and for a while it can be undone from here. */
  function undoable(title: string, undo: () => unknown): void {
    toast.add({
      title,
      color: 'success',
      icon: 'i-lucide-circle-check',
      duration: 12_000,
      actions: [{ label: t('action.undo'), color: 'neutral', variant: 'outline', onClick: () => void undo() }],
    });
  }

  /** Something that did not go as the person wanted, and is nobody's failure. */
  function warning(title: string, description: string): void {
    toast.add({ title, description, color: 'warning', icon: 'i-lucide-info', duration: 12_000 });
  }

  /** A fact the engine wants the person to read once. */
  function notice(code: string, params: Readonly<Record<string, string>>): void {
    const known = te(`notice.${code}.title`) || te(`notice.${code}.title`, 'en');
    const title = known ? t(`notice.${code}.title`, params) : t('notice.other.title');
    const description = known ? t(`notice.${code}.text`, params) : t('notice.other.text', { code });
    toast.add({ id: `notice-${code}`, title, description, color: 'info', icon: 'i-lucide-info', duration: 10_000 });
    if (document.hidden) desktop()?.notify(title, description);
  }

  /** Takes a notice back that is no longer true. */
  const withdraw = (code: string): void => toast.remove(`notice-${code}`);

  return { failure, success, undoable, warning, notice, withdraw };
}
