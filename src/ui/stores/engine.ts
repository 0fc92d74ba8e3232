import { defineStore } from 'pinia';
import { inject, ref, type InjectionKey } from 'vue';
import { AppError } from '../../base/errors.ts';
import type { EngineClient } from '../connection/engine-client.ts';
import type { ConnectionState } from '../connection/engine-connection.ts';

/** What screens need of the connection. */
export interface EngineLine {
  call<T>(ask: (client: EngineClient) => Promise<T>): Promise<T>;
  retryNow(): void;
}

export const engineLineKey: InjectionKey<EngineLine> = Symbol('engine line');

/** The state of the line to the engine, and the way to ask it. */
export const useEngine = defineStore('engine', () => {
  const line = inject(engineLineKey, null);
  const state = ref<ConnectionState>({ kind: 'connecting', attempt: 0 });

  /** The person quit: nothing is waited for. */
  const hasEnded = ref(false);

  function call<T>(ask: (client: EngineClient) => Promise<T>): Promise<T> {
    if (line === null) return Promise.reject(new AppError('disconnected', 'the page has no engine'));
    return line.call(ask);
  }

  async function quit(): Promise<void> {
    await call((client) => client.system.shutDown());
    hasEnded.value = true;
  }

  return { state, hasEnded, call, quit, retryNow: () => line?.retryNow() };
});
