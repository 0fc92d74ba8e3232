import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface Notice {
  readonly code: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Facts that wait to be shown once. */
export const useNotices = defineStore('notices', () => {
  const waiting = ref<Notice[]>([]);
  const push = (notice: Notice): void => {
    waiting.value.push(notice);
  };
  const take = (): Notice[] => waiting.value.splice(0);
  return { waiting, push, take };
});
