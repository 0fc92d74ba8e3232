import { createI18n } from 'vue-i18n';
import doctorEn from '../../contract/words/doctor.en.json' with { type: 'json' };
import doctorFr from '../../contract/words/doctor.fr.json' with { type: 'json' };
import en from './en.json';
import fr from './fr.json';

/** All texts by language; the command line shares those of the connection check. */
export const MESSAGES = {
  en: { ...en, doctor: { ...en.doctor, ...doctorEn } },
  fr: { ...fr, doctor: { ...fr.doctor, ...doctorFr } },
};

/** The translations, in `locale` to begin with. */
export function createTranslations(locale: string) {
  return createI18n({
    legacy: false,
    locale,
    fallbackLocale: 'en',
    messages: MESSAGES,
    pluralRules: {
      // In French zero is singular; three forms are "none | one | many".
      fr: (count, forms) => (forms === 3 ? Math.min(count, 2) : count < 2 ? 0 : 1),
    },
  });
}
