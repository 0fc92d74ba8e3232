import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import { useNow } from '../use-now.ts';
import {
  formatAgo,
  formatBytes,
  formatClock,
  formatDay,
  formatRate,
  formatShare,
  formatSpan,
  formatTime,
  regionalLocale,
  timeLeftMs,
} from './format.ts';

/** The formatting functions bound to the person's language and the current time. */
export function useFormat() {
  const { locale: language, t } = useI18n();
  const locale = computed(() => regionalLocale(language.value, navigator.languages));
  const now = useNow();
  return {
    bytes: (bytes: number) => formatBytes(bytes, locale.value),
    rate: (bytesPerSecond: number) => formatRate(bytesPerSecond, locale.value),
    share: (part: number, whole: number) => formatShare(part, whole, locale.value),
    clock: formatClock,
    span: (ms: number) => formatSpan(ms, locale.value),
    day: (ms: number) => formatDay(ms, now.value, locale.value),
    time: (ms: number) => formatTime(ms, locale.value),
    ago: (ms: number) => formatAgo(ms, now.value, locale.value),
    /** "6 min left", or null when nothing moves. */
    timeLeft(bytes: number, bytesPerSecond: number): string | null {
      const left = timeLeftMs(bytes, bytesPerSecond);
      return left === null ? null : t('progress.left', { span: formatSpan(left, locale.value) });
    },
    /** "Anna, Ben and Chloé". */
    list: (names: readonly string[]) => new Intl.ListFormat(locale.value, { type: 'conjunction' }).format(names),
  };
}
