import { ref, watch } from 'vue';
import type { SettingsChange, SettingsView } from '../../contract/settings.ts';
import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';

/** The engine's settings as soon as they are known, and changes to them. */
export function useSettings() {
  const engine = useEngine();
  const notify = useNotify();
  const settings = ref<SettingsView | null>(null);

  async function show(asking: Promise<SettingsView>): Promise<void> {
    try {
      settings.value = await asking;
    } catch (error) {
      notify.failure(error);
    }
  }
  const change = (to: SettingsChange): Promise<void> => show(engine.call((client) => client.settings.set(to)));

  watch(
    () => engine.state.kind,
    (kind) => {
      if (kind === 'online') void show(engine.call((client) => client.settings.get()));
    },
    { immediate: true },
  );
  return { settings, change };
}
