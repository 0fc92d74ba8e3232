import type { ContractProcedure, InferSchemaInput, InferSchemaOutput } from '@orpc/contract';
import type { Emitter } from '../base/emitter.ts';
import type { AppContract } from '../contract/app.ts';
import type { AppEvent, Snapshot } from '../contract/views.ts';
import type { Onlookers } from './onlookers.ts';

/** A contract call as a plain function: checked input in, view out, cancelled by the signal. */
type Method<Procedure> =
  Procedure extends ContractProcedure<infer Input, infer Output, infer _Errors, infer _Meta>
    ? unknown extends InferSchemaOutput<Input>
      ? (signal: AbortSignal) => Promise<InferSchemaInput<Output>>
      : (input: InferSchemaOutput<Input>, signal: AbortSignal) => Promise<InferSchemaInput<Output>>
    : never;

type Service<Group> = { readonly [Call in keyof Group]: Method<Group[Call]> };

/** What the engine host answers by itself: it owns the sequence numbers, the port and its own life. */
type HostCalls = 'snapshot' | 'events' | 'looking' | 'status' | 'browse' | 'shutDown';

/** Everything the UI and the command line can ask of the product, without the transport. */
export interface AppServices {
  readonly account: Service<AppContract['account']>;
  readonly spheres: Service<AppContract['spheres']>;
  readonly items: Service<AppContract['items']>;
  readonly messages: Service<AppContract['messages']>;
  readonly people: Service<AppContract['people']>;
  readonly transfers: Service<AppContract['transfers']>;
  readonly settings: Service<AppContract['settings']>;
  readonly network: Service<AppContract['network']>;
  readonly doctor: Service<AppContract['doctor']>;
  readonly system: Service<Omit<AppContract['system'], HostCalls>>;
  /** The whole state now. The host adds the sequence number and the version. */
  snapshot(signal: AbortSignal): Promise<Omit<Snapshot, 'seq' | 'version'>>;
  /** Every change after it is in the database. The host numbers and slows them down. */
  readonly onEvent: Emitter<AppEvent>;
  /** Who looks at all this. */
  readonly onlookers: Pick<Onlookers, 'begin'>;
}
