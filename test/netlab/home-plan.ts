/**
 * What stands between a home and the internet:
 * `open` a public address and no router; `cone` one outside port for all destinations, answers only from whom was
 * asked; `fullcone` the same, but anybody may answer; `symmetric` a random port for each destination; `tcp` as `cone`,
 * with TCP and nothing else; `web` the same with the ports 80 and 443 only.
 */
export type Nat = 'open' | 'cone' | 'fullcone' | 'symmetric' | 'tcp' | 'web';

/** How the router opens ports: one version of UPnP, NAT-PMP alone, PCP alone, or everything. */
export type Mapping = 'none' | 'upnp-v1' | 'upnp-v2' | 'pmp' | 'pcp' | 'all';

export interface HomePlan {
  readonly nat: Nat;
  readonly mapping: Mapping;
  /** A second router at the provider, which shares one public address among many homes. */
  readonly isp: 'none' | 'cone' | 'symmetric';
  /** The router behind that of the provider says that it opened a port, which nobody can reach. */
  readonly lies: boolean;
  readonly hosts: number;
  /** Public IPv6 addresses behind a firewall that lets nothing in unasked. */
  readonly v6: boolean;
  /** Of the line, in each direction; 0 = no limit. */
  readonly rateMbit: number;
  readonly delayMs: number;
  readonly lossPercent: number;
}

const ORDINARY: HomePlan = {
  nat: 'cone',
  mapping: 'none',
  isp: 'none',
  lies: false,
  hosts: 1,
  v6: false,
  rateMbit: 0,
  delayMs: 0,
  lossPercent: 0,
};

const KINDS = {
  open: { nat: 'open' },
  cone: {},
  fullcone: { nat: 'fullcone' },
  symmetric: { nat: 'symmetric' },
  tcp: { nat: 'tcp' },
  web: { nat: 'web' },
  'upnp-v1': { mapping: 'upnp-v1' },
  'upnp-v2': { mapping: 'upnp-v2' },
  pmp: { mapping: 'pmp' },
  pcp: { mapping: 'pcp' },
  all: { mapping: 'all' },
  cgnat: { isp: 'cone' },
  lie: { mapping: 'all', isp: 'cone', lies: true },
} as const satisfies Record<string, Partial<HomePlan>>;

export type HomeKind = keyof typeof KINDS;
export const HOME_KINDS = Object.keys(KINDS).filter(isKind);

/** Reads `kind[,hosts=2][,isp=cone|symmetric][,v6=on][,rate=20][,delay=25][,loss=1]`: Mbit/s, ms and per cent each way. */
export function readHomePlan(text: string): HomePlan {
  const [kind = '', ...options] = text.split(',');
  if (!isKind(kind)) throw new Error(`no kind of home: ${kind}; there are ${HOME_KINDS.join(', ')}`);
  const plan = options.reduce(withOption, { ...ORDINARY, ...KINDS[kind] });
  if (plan.nat === 'open' && (plan.hosts > 1 || plan.isp !== 'none')) {
    throw new Error(`an open home is one host at the internet: ${text}`);
  }
  return plan;
}

function withOption(plan: HomePlan, option: string): HomePlan {
  const [name, value = ''] = option.split('=');
  const amount = Number(value);
  if (name === 'isp' && (value === 'cone' || value === 'symmetric')) return { ...plan, isp: value };
  if (name === 'v6' && value === 'on') return { ...plan, v6: true };
  if (Number.isFinite(amount) && amount > 0) {
    if (name === 'hosts' && amount < 10) return { ...plan, hosts: amount };
    if (name === 'rate') return { ...plan, rateMbit: amount };
    if (name === 'delay') return { ...plan, delayMs: amount };
    if (name === 'loss' && amount < 100) return { ...plan, lossPercent: amount };
  }
  throw new Error(`no option of a home: ${option}`);
}

function isKind(text: string): text is HomeKind {
  return Object.hasOwn(KINDS, text);
}
