import { ref, type Ref } from 'vue';
import type { AppError } from '../base/errors.ts';
import { toAppError } from './failure.ts';

interface Task {
  readonly busy: Ref<boolean>;
  readonly failure: Ref<AppError | null>;
  /** Runs one piece of work at a time; true when it succeeded. */
  run(work: () => Promise<unknown>): Promise<boolean>;
}

/** Keeps the state of something the person waits for. */
export function useTask(): Task {
  const busy = ref(false);
  const failure: Ref<AppError | null> = ref(null);
  async function run(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    failure.value = null;
    try {
      await work();
      return true;
    } catch (error) {
      failure.value = toAppError(error);
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, failure, run };
}
