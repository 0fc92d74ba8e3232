/** A server that anybody may choose. Nothing of it is asked before somebody does. */
export interface PublicServer {
  readonly domain: string;
  /** Who runs it, below `newAccount.servers` of the translations. */
  readonly runBy: 'disroot' | 'jabberFr' | 'yaxim';
  /** Where it stands (ISO 3166). */
  readonly country: string;
  readonly since: number;
  /** Where accounts are made; null: in any application, with a name and a password. */
  readonly webPage: string | null;
}

/**
 * Few, old, free of charge, and able to carry spheres: each had all points of the XMPP Compliance Tester. The facts are
 * those of the list of providers.xmpp.net (June 2026), which judges servers by what newcomers need.
 */
export const PUBLIC_SERVERS: readonly PublicServer[] = [
  { domain: 'jabber.fr', runBy: 'jabberFr', country: 'FR', since: 2004, webPage: null },
  { domain: 'yax.im', runBy: 'yaxim', country: 'DE', since: 2013, webPage: null },
  { domain: 'disroot.org', runBy: 'disroot', country: 'NL', since: 2015, webPage: 'https://user.disroot.org/' },
];
