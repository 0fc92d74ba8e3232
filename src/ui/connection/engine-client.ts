import type { ContractRouterClient } from '@orpc/contract';
import type { AppError } from '../../base/errors.ts';
import type { AppContract } from '../../contract/app.ts';

/** Every call of the contract, typed. */
export type EngineClient = ContractRouterClient<AppContract>;

/** One open line to the engine. */
export interface Transport {
  readonly client: EngineClient;
  /** Resolves with the reason when the line is gone: `not-allowed` or `disconnected`. */
  readonly closed: Promise<AppError>;
  close(): void;
}

/** Rejects with `not-allowed` when the engine does not know this page, with `disconnected` when there is no engine. */
export type OpenTransport = (signal: AbortSignal) => Promise<Transport>;
