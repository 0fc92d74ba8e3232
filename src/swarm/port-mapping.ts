/** How one of our ports stands with the home router. */
export interface RouterPort {
  /** `unreachable` = the router opened it, but has itself no address that the world can reach. */
  readonly state: 'searching' | 'open' | 'unreachable' | 'closed';
  readonly via: 'pcp' | 'nat-pmp' | 'upnp' | null;
  /** `host:port` outside when open, what the router takes for it when unreachable. */
  readonly outside: string | null;
}

/** One of our public IPv6 addresses, and whether the router's firewall lets callers through to the port there. */
export interface Pinhole {
  readonly address: string;
  readonly port: number;
  readonly open: boolean;
}

/** What the swarm asks of the router: ports that people outside can reach. */
export interface PortMapping {
  /** Keeps a TCP port open on the router until disposed. */
  keep(port: number, onChange: (state: RouterPort) => void): AsyncDisposable;
  /** Keeps a TCP port of every public IPv6 address of this machine open in the router's firewall until disposed. */
  keepPinholes(port: number, onChange: (pinholes: readonly Pinhole[]) => void): AsyncDisposable;
  /** Calls or links fail, or the network changed: the router is asked anew within four seconds, however often this is called. */
  checkNow(): void;
}
