import { createI18n } from 'vue-i18n';
import en from './en.json';
import fr from './fr.json';

/** The translations, in `locale` to begin with. */
export function createTranslations(locale: string) {
  return createI18n({
    legacy: false,
    locale,
    fallbackLocale: 'en',
    messages: { en, fr },
    pluralRules: {
      // In French zero is singular; three forms are "none | one | many".
      fr: (count, forms) => (forms === 3 ? Math.min(count, 2) : count < 2 ? 0 : 1),
    },
  });
}
