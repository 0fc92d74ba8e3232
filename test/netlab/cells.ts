import type { Carried } from './carried.ts';
import type { Cell } from './cell.ts';
import type { Disturbed } from './disturbed.ts';
import type { LateFetch } from './late-fetch.ts';

/** Cells of one way to reach each other. */
export interface CellGroup {
  readonly name: string;
  /** The first `quick` cells are part of every run. */
  readonly quick: number;
  readonly cells: readonly Cell[];
}

const mapped = (a: string, b: string): Cell => ({ a, b, path: 'tcp', mostMs: 2_000 });
const direct = (a: string, b: string): Cell => ({ a, b, path: 'webrtc', mostMs: 2_000 });
const relayed = (a: string, b: string): Cell => ({ a, b, path: 'turn', mostMs: 3_000 });
const carried = (a: string, b: string): Cell => {
  return { a, b, carrier: 'open', carrierArguments: ['--also-port', '443'], path: 'carrier', mostMs: 3_000 };
};

export const CELL_GROUPS: readonly CellGroup[] = [
  {
    name: 'the same network',
    quick: 1,
    cells: [{ a: 'cone', b: 'same', path: 'lan', mostMs: 1_000 }],
  },
  {
    name: 'the same network without internet',
    quick: 1,
    cells: [{ a: 'cone', b: 'same', withoutInternet: true, path: 'lan', mostMs: 1_000 }],
  },
  {
    name: 'a port opened by the router, or a public address',
    quick: 2,
    cells: [
      mapped('upnp-v2', 'symmetric'),
      mapped('cone', 'pmp'),
      mapped('upnp-v2', 'cone'),
      mapped('upnp-v1', 'cone'),
      mapped('upnp-v1', 'cgnat,isp=symmetric'),
      mapped('pmp', 'symmetric'),
      mapped('pmp', 'cgnat,isp=symmetric'),
      mapped('pcp', 'cone'),
      mapped('pcp', 'symmetric'),
      mapped('symmetric', 'upnp-v1'),
      mapped('symmetric', 'upnp-v2'),
      mapped('cgnat', 'pcp'),
      mapped('upnp-v2', 'pmp'),
      mapped('open', 'symmetric'),
      mapped('symmetric', 'open'),
      mapped('open', 'cgnat'),
      mapped('tcp', 'upnp-v2'),
    ],
  },
  {
    name: 'IPv6 behind firewalls',
    quick: 1,
    cells: [
      { a: 'pcp,isp=cone,v6=on', b: 'cone,v6=on', path: 'ipv6', mostMs: 2_000 },
      { a: 'symmetric,v6=on', b: 'upnp-v2,isp=symmetric,v6=on', path: 'ipv6', mostMs: 2_000 },
      { a: 'pcp,isp=cone,v6=on', b: 'pcp,isp=cone,v6=on', path: 'ipv6', mostMs: 2_000 },
    ],
  },
  {
    name: 'directly through both routers',
    quick: 1,
    cells: [
      direct('cone', 'cone'),
      direct('cone', 'cgnat'),
      direct('cgnat', 'cgnat'),
      direct('symmetric', 'fullcone'),
      direct('fullcone', 'symmetric'),
      direct('cgnat,isp=symmetric', 'fullcone'),
    ],
  },
  {
    name: 'a relay',
    quick: 1,
    cells: [
      relayed('symmetric', 'cone'),
      relayed('cone', 'symmetric'),
      relayed('symmetric', 'cgnat'),
      relayed('symmetric', 'symmetric'),
      relayed('cgnat,isp=symmetric', 'symmetric'),
    ],
  },
  {
    name: 'a member who carries',
    quick: 0,
    cells: [
      carried('cone', 'web'),
      carried('web', 'cone'),
      carried('web', 'symmetric'),
      carried('web', 'cgnat'),
      carried('web', 'web'),
      carried('tcp', 'symmetric'),
    ],
  },
  {
    name: 'a router that lies',
    quick: 0,
    cells: [
      { a: 'lie', b: 'cone', path: 'webrtc', mostMs: 4_000 },
      { a: 'cone', b: 'lie', path: 'webrtc', mostMs: 4_000 },
      { a: 'lie', b: 'symmetric', path: 'turn', mostMs: 4_000 },
    ],
  },
];

/**
 * Members who cannot connect to each other, and a carrier on TCP 443 who fetches and gives at the same time. The first is
 * part of every run.
 */
export const CARRIED: readonly Carried[] = [
  { a: 'cone', b: 'web', carrier: 'open', mostMs: 3_000 },
  { a: 'web', b: 'symmetric', carrier: 'open', mostMs: 3_000 },
  { a: 'web', b: 'web', carrier: 'open', mostMs: 3_000 },
];

/** Members whom nobody can call, and a carrier who wants their item only long after they have shared it. */
export const LATE_FETCHES: readonly LateFetch[] = [
  { a: 'web', carrier: 'open', afterMs: 75_000, mostMs: 3_000 },
  { a: 'symmetric', carrier: 'upnp-v2', afterMs: 75_000, mostMs: 3_000 },
  // Too long for its metainfo to travel with its event: that has to be fetched first.
  { a: 'web', carrier: 'open', afterMs: 1_000, bytes: 1.5 * 2 ** 30, mostMs: 3_000 },
];

const TEN_SECONDS = { mostMs: 10_000 };
const MAPPED = { a: 'upnp-v2', b: 'cone', path: 'tcp' } as const;
const DIRECT = { a: 'cone', b: 'cone', path: 'webrtc' } as const;

/** What happens in the middle of a transfer, and how soon it goes on after that. */
export const DISTURBANCES: readonly Disturbed[] = [
  // WebRTC needs no port of the router, and goes on sooner than the router has it open again.
  { ...MAPPED, of: 'a', what: 'the router loses power', ...TEN_SECONDS, upgradeMs: 15_000 },
  { ...MAPPED, of: 'b', what: 'the router loses power', ...TEN_SECONDS },
  { ...MAPPED, of: 'a', what: 'the cable is pulled for 20 s', ...TEN_SECONDS },
  { ...MAPPED, of: 'b', what: 'the cable is pulled for 20 s', ...TEN_SECONDS },
  { ...MAPPED, of: 'a', what: 'the public address changes', ...TEN_SECONDS },
  { ...MAPPED, of: 'b', what: 'the public address changes', ...TEN_SECONDS },
  { ...DIRECT, of: 'a', what: 'the public address changes', ...TEN_SECONDS },
  { ...DIRECT, of: 'b', what: 'the public address changes', ...TEN_SECONDS },
  { ...DIRECT, of: 'a', what: 'the router loses power', ...TEN_SECONDS },
  { ...DIRECT, of: 'b', what: 'the cable is pulled for 20 s', ...TEN_SECONDS },
  ...disturbedAllWays({ a: 'symmetric', b: 'cone', path: 'turn' }),
  ...disturbedAllWays({ a: 'pcp,isp=cone,v6=on', b: 'cone,v6=on', path: 'ipv6' }),
  ...disturbedAllWays({ a: 'cone', b: 'web', carrier: 'open', path: 'carrier' }),
];

function disturbedAllWays(homes: Pick<Disturbed, 'a' | 'b' | 'carrier' | 'path'>): Disturbed[] {
  return (['the router loses power', 'the cable is pulled for 20 s', 'the public address changes'] as const).flatMap(
    (what) => (['a', 'b'] as const).map((of) => ({ ...homes, of, what, ...TEN_SECONDS })),
  );
}
