import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import { memoryGrowth, MOST_GROWTH_BYTES } from '../../test/fixtures/memory-growth.ts';
import { UdpRouter } from '../../test/fixtures/udp-router.ts';
import { ssdpReply, UpnpRouter } from '../../test/fixtures/upnp-router.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { findNatPmp } from './nat-pmp.ts';
import { findPcp } from './pcp.ts';
import { callAction } from './soap.ts';
import { findUpnp } from './upnp.ts';

const HOSTILE = 1_000;
const never = new AbortController().signal;
const REQUEST = { protocol: 'tcp', internalPort: 40_001, wantedExternalPort: 40_001, lifetimeSeconds: 1_200 } as const;

/** The hosts that are asked by HTTP while the work runs. */
async function askedHosts(work: () => Promise<void>): Promise<Set<string>> {
  const hosts = new Set<string>();
  const note = (message: unknown): void => void hosts.add((message as { request: ClientRequest }).request.host);
  subscribe('http.client.request.start', note);
  try {
    await work();
  } finally {
    unsubscribe('http.client.request.start', note);
  }
  return hosts;
}

const FOREIGN = ['11.22.33.44', '192.168.1.66', 'router.example', '[2a00::1]', '127.0.0.1@11.22.33.44', '2130706434'];

function foreignReply(target: string, index: number): string {
  const host = FOREIGN[index % FOREIGN.length];
  const scheme = index % 7 === 0 ? 'https' : 'http';
  const padding = index % 11 === 0 ? 'x'.repeat(3_000) : '';
  return ssdpReply(target, `${scheme}://${host}:${1_024 + index}/description.xml${padding}`);
}

test('1,000 discovery replies that name foreign addresses cause no request to one, and memory stays', async () => {
  let replies = 0;
  await using router = await UpnpRouter.start({
    reply: (target) => {
      const count = target.endsWith('Gateway:1') || target.endsWith('Device:1') ? HOSTILE : 0;
      replies += count;
      return Array.from({ length: count }, (_, index) => foreignReply(target, index));
    },
  });
  const group = { address: '127.0.0.1', port: router.group.port };
  const deps = { clock: hastyClock, random: systemRandom, log: silentLogger, address: '127.0.0.1', group };
  const search = async (): Promise<void> => {
    await expect(findUpnp({ ...deps, mayAsk: () => true }, never)).rejects.toMatchObject({ code: 'not-found' });
  };
  let grown = 0;
  const hosts = await askedHosts(async () => {
    grown = await memoryGrowth(search);
  });
  expect([...hosts]).toEqual([]);
  expect(router.requests).toEqual([]);
  expect(replies).toBeGreaterThanOrEqual(2 * HOSTILE);
  expect(grown).toBeLessThan(MOST_GROWTH_BYTES);
});

/** Each number another hostile answer to the same question. */
function hostileAnswer(response: ServerResponse, number: number): void {
  switch (number % 10) {
    case 0:
      return void response.end('<a>'.repeat(1 + number * 20));
    case 1:
      return void response.end(`<!DOCTYPE r [<!ENTITY a "${'b'.repeat(number)}">]><r>&a;&a;</r>`);
    case 2:
      return void response.end('x'.repeat(100_000));
    case 3:
      return void response.writeHead(302, { location: `http://${FOREIGN[0]}/${number}` }).end();
    case 4:
      return void response.socket?.destroy();
    case 5:
      return void response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`);
    case 6:
      return void response.end(`<r><AddPortMappingResponse>${'<b/>'.repeat(5_000)}</AddPortMappingResponse></r>`);
    case 7:
      return void response.writeHead(500).end(`<Fault><errorCode>${'7'.repeat(number)}</errorCode></Fault>`);
    case 8:
      return void response.end(Buffer.from(systemRandom(2_000)));
    default:
      return void response.end(`<r attribute="${'<'.repeat(number)}"`);
  }
}

test('1,000 hostile answers to a wish for a mapping map nothing, lead nowhere, and memory stays', async () => {
  let number = 0;
  await using router = await UpnpRouter.start({
    instead: (request, response) => {
      if (request.method === 'GET') return false;
      number += 1;
      hostileAnswer(response, number);
      return true;
    },
  });
  const controlUrl = new URL(router.location);
  const service = { serviceType: 'urn:schemas-upnp-org:service:WANIPConnection:1', version: 1, controlUrl } as const;
  const outcomes = new Map<string, number>();
  const ask = async (share: number): Promise<void> => {
    for (let count = 0; count < HOSTILE * share; count += 1) {
      const outcome = await callAction({ service, action: 'AddPortMapping', input: {} }, hastyClock, never).then(
        () => 'mapped',
        (error: { code: string }) => error.code,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  let grown = 0;
  const hosts = await askedHosts(async () => {
    grown = await memoryGrowth(ask);
  });
  expect([...hosts]).toEqual(['127.0.0.1']);
  expect(number).toBeGreaterThanOrEqual(1.2 * HOSTILE);
  expect(new Set(outcomes.keys())).toEqual(new Set(['bad-input', 'not-allowed', 'not-found', 'too-large']));
  expect(grown).toBeLessThan(MOST_GROWTH_BYTES);
});

test.each(['PCP', 'NAT-PMP'])('1,000 packets of rubbish instead of an answer of %s map nothing', async (protocol) => {
  await using router = await UdpRouter.start((packet) => {
    const rubbish = Array.from({ length: HOSTILE }, (_, index) => {
      const bytes = systemRandom(index % 1_400);
      // Half of them look right at first sight.
      if (index % 2 === 0 && bytes.length > 4) bytes.set([packet[0] ?? 0, (packet[1] ?? 0) | 0x80, 0, 1]);
      return bytes;
    });
    return rubbish;
  });
  const deps = { clock: hastyClock, address: '127.0.0.1', port: router.port, secret: new Uint8Array(32) };
  const map = async (): Promise<void> => {
    const found = protocol === 'PCP' ? findPcp(deps, never) : findNatPmp(deps, never);
    await expect(found.then((gateway) => gateway.map(REQUEST, never))).rejects.toMatchObject({
      code: expect.stringMatching(/^(timed-out|not-allowed|not-found)$/),
    });
  };
  expect(await memoryGrowth(map)).toBeLessThan(MOST_GROWTH_BYTES);
  expect(router.received.length).toBeGreaterThan(0);
});
