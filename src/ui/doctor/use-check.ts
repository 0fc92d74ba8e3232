import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue';
import type { AppError } from '../../base/errors.ts';
import type { DoctorReport } from '../../contract/doctor.ts';
import { toAppError } from '../failure.ts';
import { useEngine } from '../stores/engine.ts';

interface Check {
  /** What is known so far; null before anything is. */
  readonly report: Readonly<Ref<DoctorReport | null>>;
  readonly failure: Readonly<Ref<AppError | null>>;
  /** Forgets the last result and looks at everything again. */
  again(): void;
}

/** A connection check that runs as long as it is looked at, and goes on when the line to the engine comes back. */
export function useCheck(): Check {
  const engine = useEngine();
  const report = shallowRef<DoctorReport | null>(null);
  const failure: Ref<AppError | null> = ref(null);
  let current = new AbortController();

  async function follow({ signal }: AbortController): Promise<void> {
    try {
      await engine.call(async (client) => {
        for await (const next of await client.doctor.check({ follow: true }, { signal })) {
          if (signal.aborted) return;
          report.value = next;
        }
      });
    } catch (error) {
      const reason = toAppError(error);
      // A lost line is told by the banner; the check goes on with the next one.
      if (!signal.aborted && reason.code !== 'disconnected') failure.value = reason;
    }
  }

  function again(): void {
    current.abort();
    current = new AbortController();
    report.value = null;
    failure.value = null;
    void follow(current);
  }

  watch(
    () => engine.state.kind === 'online',
    (isOnline) => {
      if (isOnline) again();
    },
    { immediate: true },
  );
  onScopeDispose(() => current.abort());
  return { report, failure, again };
}
