import { expect, test } from 'vitest';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import { toHex } from '../../base/bytes.ts';
import { systemRandom } from '../../base/random.ts';
import type { BencodedDict } from '../bencode/bencode.ts';
import { decode, encode, isDict } from '../bencode/bencode.ts';
import type { Endpoint } from '../endpoint.ts';
import { isInternetAddress } from '../internet-address.ts';
import { DhtClient } from './dht-client.ts';

const HASH = new Uint8Array(20).fill(0xaa);
const { signal } = new AbortController();
/** What a node says to a question; null = nothing. */
type Node = (question: BencodedDict, at: Endpoint) => Record<string, unknown> | null;

/** A DHT whose nodes a test writes; every datagram that leaves is noted. */
class Dht {
  readonly clock = new VirtualClock();
  readonly sent: { readonly to: Endpoint; readonly question: BencodedDict }[] = [];
  readonly client: DhtClient;
  node: Node = () => null;

  constructor() {
    this.client = new DhtClient({
      clock: this.clock,
      random: systemRandom,
      policy: isInternetAddress,
      send: async (datagram, to) => {
        const question = decode(datagram);
        if (!isDict(question)) throw new Error('no question');
        this.sent.push({ to, question });
        const answer = this.node(question, to);
        if (answer !== null) queueMicrotask(() => this.client.receive(reply(question, to, answer), to));
      },
    });
  }

  /** Searches to the end, and gives whom it found. */
  async search(port = 0, entrance = '203.0.113.1'): Promise<string[]> {
    const peers: string[] = [];
    const entrances = [{ host: entrance, port: 6881 }];
    const search = this.client.search({ infoHash: HASH, port, entrances, onPeer: (peer) => peers.push(peer) }, signal);
    let isOver = false;
    void search.then(() => (isOver = true));
    while (!isOver) await this.clock.advance(500);
    return peers;
  }

  announced(): Endpoint[] {
    return this.sent.filter(({ question }) => text(question['q']) === 'announce_peer').map(({ to }) => to);
  }
}

const text = (value: unknown): string => Buffer.from(value as Uint8Array).toString('latin1');
const idOf = (host: string): Uint8Array => new Uint8Array(20).fill(Number(host.split('.')[3]));

function reply(question: BencodedDict, { host }: Endpoint, answer: Record<string, unknown>): Uint8Array {
  return encode({ r: { id: idOf(host), ...answer }, t: question['t'], y: 'r' });
}

/** As `nodes` gives them: their ids and places. */
function nodes(...hosts: readonly string[]): Uint8Array {
  return Buffer.concat(
    hosts.map((host) => Buffer.concat([idOf(host), Buffer.from([...host.split('.').map(Number), 0x1a, 0xe1])])),
  );
}

test('a search goes from the entrance to the nearest nodes, finds peers there, and announces to them', async () => {
  const dht = new Dht();
  dht.node = (_question, { host }) =>
    host === '203.0.113.1'
      ? { nodes: nodes('203.0.113.170', '203.0.113.9') }
      : { token: 'tok', values: [Buffer.from([203, 0, 113, 77, 0, 80])] };
  expect(await dht.search(7000)).toEqual(['203.0.113.77:80']);
  expect(dht.announced().map(({ host }) => host)).toEqual(['203.0.113.170', '203.0.113.9']);
  const told = dht.sent.at(-1)?.question['a'] as BencodedDict;
  expect(told).toMatchObject({ implied_port: 0, port: 7000, info_hash: HASH });
  expect(dht.sent.every(({ question }) => question['ro'] === 1)).toBe(true);
});

test('nodes in networks of our own, named by a stranger, are sent nothing', async () => {
  const dht = new Dht();
  const inside = ['127.0.0.1', '10.0.0.1', '192.168.1.1', '169.254.169.254', '224.0.0.1', '255.255.255.255', '0.0.0.0'];
  dht.node = (_question, { host }) => (host === '203.0.113.1' ? { nodes: nodes(...inside, '203.0.113.5') } : {});
  await dht.search();
  expect(dht.sent.map(({ to }) => to.host)).toEqual(['203.0.113.1', '203.0.113.5']);
});

test('a node that names ever nearer ones that are not there leads nobody about for ever', async () => {
  const dht = new Dht();
  let next = 2;
  dht.node = () => ({
    id: systemRandom(20),
    nodes: Buffer.concat(
      Array.from({ length: 16 }, () => {
        next += 1;
        return Buffer.concat([
          HASH.slice(0, 17),
          systemRandom(3),
          Buffer.from([198, 51, next >> 8, next & 0xff, 1, 1]),
        ]);
      }),
    ),
  });
  await dht.search();
  expect(dht.sent.length).toBeLessThanOrEqual(100);
  expect(dht.client.known.length).toBeLessThanOrEqual(200);
});

test('peers beyond all need are left out, however many nodes name them', async () => {
  const dht = new Dht();
  dht.node = (_question, { host }) => ({
    nodes: nodes(...Array.from({ length: 16 }, (_, index) => `203.0.113.${index + 2}`)),
    values: Array.from({ length: 50 }, (_, index) => Buffer.from([198, 51, Number(host.split('.')[3]), index, 0, 80])),
  });
  expect(await dht.search()).toHaveLength(300);
});

test('an answer to what nobody asked, by another number or from another place, is dropped', async () => {
  const dht = new Dht();
  const values = [Buffer.from([198, 51, 100, 1, 0, 80])];
  dht.node = (question, to) => {
    dht.client.receive(reply(question, to, { values }), { ...to, port: to.port + 1 });
    dht.client.receive(reply(question, to, { values }), { ...to, host: '203.0.113.66' });
    dht.client.receive(reply({ t: Buffer.from('none') as never }, to, { values }), to);
    return null;
  };
  expect(await dht.search()).toEqual([]);
  expect(dht.client.known).toEqual([]);
});

test('questions of strangers are answered with nothing at all', () => {
  const dht = new Dht();
  for (const q of ['ping', 'find_node', 'get_peers', 'announce_peer', 'put', 'get']) {
    const question = encode({ a: { id: idOf('1.1.1.1'), info_hash: HASH, target: HASH }, q, t: 'abcd', y: 'q' });
    dht.client.receive(question, { host: '203.0.113.8', port: 6881 });
  }
  expect(dht.sent).toEqual([]);
});

test('nodes that answered are asked first the next time, and one that is silent is forgotten', async () => {
  const dht = new Dht();
  dht.node = (_question, { host }) => (host === '203.0.113.1' ? { nodes: nodes('203.0.113.9') } : {});
  await dht.search();
  expect(dht.client.known.map(({ host }) => host)).toEqual(['203.0.113.9', '203.0.113.1']);
  dht.node = () => null;
  await dht.search();
  expect(dht.client.known).toEqual([]);
});

test('two searches never use the same number for a question', async () => {
  const dht = new Dht();
  dht.node = () => ({});
  for (let count = 0; count < 20; count += 1) await dht.search();
  expect(new Set(dht.sent.map(({ question }) => toHex(question['t'] as Uint8Array))).size).toBe(dht.sent.length);
});
