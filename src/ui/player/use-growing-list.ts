import { computed, ref } from 'vue';
import type { ComputedRef } from 'vue';

/** More than fits on any screen, and few enough to be drawn at once. */
const STEP = 200;

/** The beginning of a list that may have tens of thousands of entries; more of it as the person nears its end. */
export function useGrowingList<T>(all: () => readonly T[]): {
  readonly shown: ComputedRef<readonly T[]>;
  /** For the element that scrolls. */
  readonly onScroll: (event: Event) => void;
} {
  const most = ref(STEP);
  const shown = computed(() => all().slice(0, most.value));
  const onScroll = ({ currentTarget }: Event): void => {
    if (!(currentTarget instanceof HTMLElement) || most.value >= all().length) return;
    const { scrollTop, clientHeight, scrollHeight } = currentTarget;
    if (scrollTop + 3 * clientHeight > scrollHeight) most.value += STEP;
  };
  return { shown, onScroll };
}
