import { readonly, ref, type Ref } from 'vue';

export type PanelTab = 'chat' | 'people';

/** Below this width in pixels the gallery needs the room more than the panel. */
const ROOM_FOR_PANEL = 860;

const tab = ref<PanelTab | null>(null);
let decided = false;

/** The side panel of a sphere: which tab it shows, or none; kept while the person moves between spheres. */
export function usePanel(): {
  readonly tab: Readonly<Ref<PanelTab | null>>;
  show(wanted: PanelTab): void;
  toggle(wanted: PanelTab): void;
  close(): void;
} {
  if (!decided) {
    decided = true;
    tab.value = window.innerWidth >= ROOM_FOR_PANEL ? 'chat' : null;
  }
  return {
    tab: readonly(tab),
    show: (wanted) => {
      tab.value = wanted;
    },
    toggle: (wanted) => {
      tab.value = tab.value === wanted ? null : wanted;
    },
    close: () => {
      tab.value = null;
    },
  };
}
