import { readonly, ref, type Ref } from 'vue';

const now = ref(Date.now());
let ticking = false;

/** The wall time in milliseconds, moving on every half minute: enough for "5 minutes ago". */
export function useNow(): Readonly<Ref<number>> {
  if (!ticking) {
    ticking = true;
    setInterval(() => {
      now.value = Date.now();
    }, 30_000);
  }
  return readonly(now);
}
