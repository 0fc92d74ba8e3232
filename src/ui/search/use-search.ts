import { onScopeDispose, ref, watch, type Ref } from 'vue';
import type { AppError } from '../../base/errors.ts';
import type { FoundView } from '../../contract/search.ts';
import { toAppError } from '../failure.ts';
import { useEngine } from '../stores/engine.ts';

const TYPING_MS = 120;
/** While older lines are still being read the same is asked again. */
const AGAIN_MS = 1_500;
const LIMIT = 100;

/** Answers what is being typed, the latest words only. */
export function useSearch(words: Ref<string>): {
  readonly found: Ref<FoundView | null>;
  readonly failure: Ref<AppError | null>;
} {
  const engine = useEngine();
  const found: Ref<FoundView | null> = ref(null);
  const failure: Ref<AppError | null> = ref(null);
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function ask(): Promise<void> {
    const asked = words.value.trim();
    try {
      const answer = await engine.call((client) => client.messages.search({ words: asked, limit: LIMIT }));
      if (asked !== words.value.trim()) return;
      found.value = answer;
      failure.value = null;
      if (!answer.isWhole) timer = setTimeout(() => void ask(), AGAIN_MS);
    } catch (error) {
      if (asked === words.value.trim()) failure.value = toAppError(error);
    }
  }

  watch(words, (typed) => {
    clearTimeout(timer);
    failure.value = null;
    if (typed.trim() === '') found.value = null;
    else timer = setTimeout(() => void ask(), TYPING_MS);
  });
  onScopeDispose(() => clearTimeout(timer));
  return { found, failure };
}
