import type { PortState } from '../nat/kept-port.ts';
import type { PortMapper } from '../nat/port-mapper.ts';
import { formatEndpoint } from '../torrent/endpoint.ts';
import type { Pinhole, PortMapping, RouterPort } from './port-mapping.ts';

/** Opens the swarm's ports on the home router. */
export class RouterPortMapping implements PortMapping, AsyncDisposable {
  readonly #mapper: PortMapper;

  constructor(mapper: PortMapper) {
    this.#mapper = mapper;
  }

  keep(port: number, onChange: (state: RouterPort) => void): AsyncDisposable {
    const kept = this.#mapper.keep('tcp', port);
    kept.changes.on((state) => onChange(routerPort(state)));
    return kept;
  }

  keepPinholes(port: number, onChange: (pinholes: readonly Pinhole[]) => void): AsyncDisposable {
    const kept = this.#mapper.keepPinholes('tcp', port);
    kept.changes.on(onChange);
    return kept;
  }

  checkNow(): void {
    this.#mapper.checkNow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mapper[Symbol.asyncDispose]();
  }
}

function routerPort(state: PortState): RouterPort {
  if (state.kind === 'searching' || state.kind === 'closed') return { state: state.kind, via: null, outside: null };
  return { state: state.kind, via: state.via, outside: formatEndpoint(state.address, state.port) };
}
