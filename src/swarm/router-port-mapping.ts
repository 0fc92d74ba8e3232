import { PortMapper } from '../nat/port-mapper.ts';
import type { PortMapperDeps } from '../nat/port-mapper.ts';
import type { PortState } from '../nat/kept-port.ts';
import { formatEndpoint } from '../torrent/endpoint.ts';
import type { PortMapping } from './port-mapping.ts';

/** Opens the swarm's ports on the home router. */
export class RouterPortMapping implements PortMapping, AsyncDisposable {
  readonly #mapper: PortMapper;

  constructor(deps: PortMapperDeps) {
    this.#mapper = new PortMapper(deps);
  }

  keep(port: number, onChange: (outside: string | null) => void): AsyncDisposable {
    const kept = this.#mapper.keep('tcp', port);
    kept.changes.on((state) => onChange(outsideOf(state)));
    return kept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mapper[Symbol.asyncDispose]();
  }
}

/** Members are told an address only when the world can reach it. */
function outsideOf(state: PortState): string | null {
  return state.kind === 'open' ? formatEndpoint(state.address, state.port) : null;
}
