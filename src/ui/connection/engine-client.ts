import type { ContractRouterClient } from '@orpc/contract';
import type { AppContract } from '../../contract/app.ts';

/** Every call of the contract, typed. */
export type EngineClient = ContractRouterClient<AppContract>;

/** One open line to the engine. */
export interface Transport {
  readonly client: EngineClient;
  /** Resolves when the line is gone, whatever the reason. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Rejects with `not-allowed` when the engine does not know this page, with `disconnected` when there is no engine. */
export type OpenTransport = (signal: AbortSignal) => Promise<Transport>;
