import { ref, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { SphereId } from '../../base/id.ts';
import { systemClock } from '../../base/system-clock.ts';
import { desktop } from '../desktop.ts';
import { useEngine } from '../stores/engine.ts';
import { takeDrop } from '../share/use-file-drop.ts';
import { picturesIn, sendPicture } from './picture-sender.ts';

/** Pictures that were pasted, or dropped where the page cannot learn their paths, and go with the next words. */
export function usePictures(into: () => (() => Promise<SphereId>) | null): {
  readonly pictures: Ref<readonly File[]>;
  takeFrom(event: Event, data: DataTransfer | null): void;
  send(): Promise<void>;
} {
  const engine = useEngine();
  const { locale, t } = useI18n();
  const pictures = ref<readonly File[]>([]);

  function takeFrom(event: Event, data: DataTransfer | null): void {
    const found = picturesIn(data);
    // A file whose path is known is shared where it lies.
    const isKnown = event.type === 'drop' && desktop() !== null;
    if (found.length === 0 || into() === null || isKnown) return;
    event.preventDefault();
    takeDrop(event);
    pictures.value = [...pictures.value, ...found];
  }

  /** Those that went out are gone from here, also when a later one failed. */
  async function send(): Promise<void> {
    const goal = into();
    if (pictures.value.length === 0 || goal === null) return;
    const sphereId = await goal();
    const time = new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short' });
    const name = t('chat.pastedName', { time: time.format(systemClock.now()) });
    for (const picture of pictures.value) {
      await sendPicture(engine, { sphereId, name, picture });
      pictures.value = pictures.value.filter((one) => one !== picture);
    }
  }

  return { pictures, takeFrom, send };
}
