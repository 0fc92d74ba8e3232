/** What the swarm asks of the router: ports that people outside can reach. */
export interface PortMapping {
  /**
   * Keeps a TCP port open on the router until disposed, and tells the address it has outside as `host:port`,
   * or null while there is none.
   */
  keep(port: number, onChange: (outside: string | null) => void): AsyncDisposable;
}
