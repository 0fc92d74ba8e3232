import { createServer } from 'node:net';
import { silentLogger } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import { findDefaultGateways } from '../../../src/nat/default-gateways.ts';
import { createGatewayFinders } from '../../../src/nat/gateway-finders.ts';
import { GatewaySearch } from '../../../src/nat/gateway-search.ts';
import type { FindGateways, Gateway, Mapping } from '../../../src/nat/gateway.ts';
import { findNatPmp } from './find-nat-pmp.ts';
import { findNatUpnp } from './find-nat-upnp.ts';

/**
 * Runs on a host of the laboratory, in a process of its own because the peers may end it: answers on a port, and opens
 * it on the router with whom the first message names. Each message has one answer.
 */
export type Who = 'ours' | 'nat-pmp' | 'nat-upnp';
export type Question =
  | { readonly ask: 'listen'; readonly who: Who; readonly port: number }
  | { readonly ask: 'map' | 'renew' | 'unmap' };
export interface Answer {
  readonly ms: number;
  readonly mapping: Mapping | null;
  readonly error: string | null;
}

const LEASE_SECONDS = 1_200;
const never = new AbortController().signal;
const tools = { clock: systemClock, random: systemRandom, log: silentLogger };
const FINDERS: Readonly<Record<Who, FindGateways>> = {
  ours: createGatewayFinders(tools).ports,
  'nat-pmp': peer(findNatPmp),
  'nat-upnp': peer(findNatUpnp),
};

let finders = FINDERS.ours;
let internalPort = 0;
let held: { readonly gateway: Gateway; readonly mapping: Mapping } | null = null;

function peer(find: (address: string) => Promise<Gateway>): FindGateways {
  return async (signal) => {
    const [address = ''] = await findDefaultGateways(signal);
    return [() => find(address)];
  };
}

async function mapBy(gateway: Gateway, wantedExternalPort: number): Promise<Mapping> {
  const request = { protocol: 'tcp', internalPort, wantedExternalPort, lifetimeSeconds: LEASE_SECONDS } as const;
  const mapping = await gateway.map(request, never);
  held = { gateway, mapping };
  return mapping;
}

/** The first router that grants the port, as the port mapper takes it. */
async function map(): Promise<Mapping> {
  let refused: unknown = new Error('no router answers');
  for await (const gateway of new GatewaySearch({ log: silentLogger, finders }).find(never)) {
    try {
      return await mapBy(gateway, internalPort);
    } catch (error) {
      refused = error;
    }
  }
  throw refused;
}

async function act(question: Question): Promise<Mapping | null> {
  if (question.ask === 'map') return map();
  if (question.ask === 'listen') {
    internalPort = question.port;
    finders = FINDERS[question.who];
    const server = createServer((socket) => socket.on('error', () => undefined).end('hello from home'));
    await new Promise<void>((resolve) => server.listen(internalPort, '0.0.0.0', resolve));
    return null;
  }
  if (held === null) throw new Error('nothing is mapped');
  if (question.ask === 'renew') return mapBy(held.gateway, held.mapping.externalPort);
  await held.gateway.unmap(held.mapping, never);
  return null;
}

process.on('message', async (question: Question) => {
  const begin = performance.now();
  const tell = (mapping: Mapping | null, error: string | null): void =>
    void process.send?.({ ms: performance.now() - begin, mapping, error } satisfies Answer);
  try {
    tell(await act(question), null);
  } catch (error) {
    tell(null, String(error));
  }
});
