import { ref } from 'vue';

/** Puts text on the clipboard and tells how it went; a browser may forbid it. */
export function useCopy() {
  const copied = ref<'copied' | 'copyFailed' | null>(null);

  async function copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      copied.value = 'copied';
    } catch {
      copied.value = 'copyFailed';
    }
  }

  return { copied, copy };
}
