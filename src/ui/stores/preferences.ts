import { defineStore } from 'pinia';
import { computed, ref, watch } from 'vue';

export const LANGUAGES = ['en', 'fr'] as const;
export type Language = (typeof LANGUAGES)[number];
export type LanguageChoice = Language | 'system';
export type ThemeChoice = 'system' | 'light' | 'dark';

const COOKIE = 'spherecast-preferences';
const ONE_YEAR_S = 365 * 24 * 3600;

interface Stored {
  language: LanguageChoice;
  theme: ThemeChoice;
}

/** Reads the stored choices; anything unreadable is the default. */
export function readPreferences(cookies: string): Stored {
  const text = cookies
    .split('; ')
    .find((part) => part.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);
  const [language, theme] = (text ?? '').split('.');
  return {
    language: language === 'en' || language === 'fr' ? language : 'system',
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
  };
}

/** The first language of the system that we speak, else English. */
export function systemLanguage(languages: readonly string[]): Language {
  for (const tag of languages) {
    const primary = tag.toLowerCase().split('-')[0];
    const found = LANGUAGES.find((language) => language === primary);
    if (found !== undefined) return found;
  }
  return 'en';
}

/** Language and theme of this window. */
export const usePreferences = defineStore('preferences', () => {
  // A cookie, because the engine's port and with it every other storage of the page changes from start to start.
  const stored = readPreferences(document.cookie);
  const language = ref<LanguageChoice>(stored.language);
  const theme = ref<ThemeChoice>(stored.theme);
  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  const systemDark = ref(prefersDark.matches);
  prefersDark.addEventListener('change', (event) => {
    systemDark.value = event.matches;
  });

  const activeLanguage = computed(() =>
    language.value === 'system' ? systemLanguage(navigator.languages) : language.value,
  );
  const dark = computed(() => (theme.value === 'system' ? systemDark.value : theme.value === 'dark'));

  watch([language, theme], () => {
    document.cookie = `${COOKIE}=${language.value}.${theme.value}; path=/; max-age=${ONE_YEAR_S}; samesite=strict`;
  });

  return { language, theme, activeLanguage, dark };
});
