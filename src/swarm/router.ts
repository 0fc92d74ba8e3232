import { implement } from '@orpc/server';
import type { Hashing } from '../contract/swarm.ts';
import { swarmContract } from '../contract/swarm.ts';
import type { HashRequest } from '../torrent/hash-request.ts';
import { filesAreFixed } from '../torrent/torrent-spec.ts';
import { EventStream } from './event-stream.ts';
import type { Staged } from './staged-segments.ts';
import type { SwarmService } from './swarm-service.ts';

const done = { ok: true } as const;

const os = implement(swarmContract);

/** The swarm contract over one service. */
export function createSwarmRouter(service: SwarmService) {
  return os.router({
    start: os.start.handler(({ input }) => service.start(input)),
    stop: os.stop.handler(async () => {
      await service.stop();
      return done;
    }),
    heartbeat: os.heartbeat.handler(() => done),
    events: os.events.handler(({ signal }) => service.events(signal ?? new AbortController().signal)),
    ...segmentCalls(service),
    setSphere: os.setSphere.handler(({ input }) => {
      service.node.setSphere(input.sphereId, input.epochs, input.devices);
      service.node.host.limits.setSphere(input.sphereId, input.limits);
      return done;
    }),
    removeSphere: os.removeSphere.handler(async ({ input }) => {
      service.node.reach.forgetSphere(input.sphereId);
      service.node.offered.removeSphere(input.sphereId);
      await service.node.host.removeSphere(input.sphereId);
      return done;
    }),
    ...reachCalls(service),
    offerMetainfo: os.offerMetainfo.handler(({ input }) => {
      service.node.offered.set(input.sphereId, input.infoHash, input.metainfo);
      return done;
    }),
    setFinding: os.setFinding.handler(({ input }) => {
      service.node.public.setFinding(input);
      return done;
    }),
    ...openedCalls(service),
    remove: os.remove.handler(async ({ input }) => {
      await service.node.remove(input.infoHash);
      return done;
    }),
    pause: os.pause.handler(({ input }) => {
      service.node.torrent(input.infoHash).setPaused(true);
      return done;
    }),
    resume: os.resume.handler(({ input }) => {
      service.node.torrent(input.infoHash).setPaused(false);
      return done;
    }),
    setPriority: os.setPriority.handler(({ input }) => {
      service.node.torrent(input.infoHash).setPriority(input.priority);
      return done;
    }),
    window: os.window.handler(({ input }) => {
      service.node.torrent(input.infoHash).setWindow(input.reader, input.from, input.to);
      return done;
    }),
    setLimits: os.setLimits.handler(({ input: { infoHash, ...limits } }) => {
      service.node.host.limits.set(infoHash, limits);
      return done;
    }),
    fetchMetainfo: os.fetchMetainfo.handler(async ({ input, signal }) => ({
      metainfo: await service.node.fetchMetainfo(input, signal ?? new AbortController().signal),
    })),
  });
}

/** What concerns the ways between members. */
function reachCalls(service: SwarmService) {
  return {
    setEndpoints: os.setEndpoints.handler(({ input }) => {
      service.node.setEndpoints(input);
      return done;
    }),
    setIceServers: os.setIceServers.handler(({ input }) => {
      service.node.reach.setIceServers(input.servers);
      return done;
    }),
    signal: os.signal.handler(({ input }) => {
      service.node.reach.signal(input.sphereId, input.device, input.signal);
      return done;
    }),
    setDiscovery: os.setDiscovery.handler(({ input }) => {
      service.node.reach.setDiscovery(input.addresses);
      return done;
    }),
    reached: os.reached.handler(({ input }) => {
      service.node.reach.reached(input);
      return done;
    }),
    probe: os.probe.handler(({ input }) => {
      service.node.reach.doors.asked(input);
      return done;
    }),
    fetching: os.fetching.handler(({ input }) => {
      const { sphereId, device, infoHashes, metainfo } = input;
      const { reach } = service.node;
      if (metainfo) reach.seeking(sphereId, device, infoHashes);
      else reach.fetching(sphereId, device, infoHashes);
      return done;
    }),
    networkChanged: os.networkChanged.handler(() => {
      service.node.reach.networkChanged();
      return done;
    }),
  };
}

/** What other programs may fetch. */
function openedCalls(service: SwarmService) {
  return {
    setOpened: os.setOpened.handler(async ({ input }) => {
      await service.node.opened.set(input);
      return done;
    }),
    openedAt: os.openedAt.handler(async ({ signal }) => {
      const endpoints = await service.node.opened.endpoints(signal ?? new AbortController().signal);
      return { port: service.node.opened.port, endpoints };
    }),
  };
}

/** What may name long lists of segments. */
function segmentCalls(service: SwarmService) {
  return {
    addAll: os.addAll.handler(async ({ input }) => ({
      refused: await service.node.addAll(completed(service, input.torrents)),
    })),
    addPublic: os.addPublic.handler(async ({ input }) => {
      return { refused: await service.node.addPublic(completed(service, input.torrents)) };
    }),
    stage: os.stage.handler(({ input }) => {
      service.staged.add(input.list, input.segments);
      return done;
    }),
    hash: os.hash.handler(({ input, signal }) =>
      hash(service, service.staged.complete(input), signal ?? new AbortController().signal),
    ),
  };
}

function completed<Spec extends Staged>(service: SwarmService, specs: readonly Spec[]): Spec[] {
  return specs.map((spec) => service.staged.complete(spec));
}

/** Progress while it runs, then the result. Leaving the iterator ends the work. */
async function* hash(service: SwarmService, request: HashRequest, signal: AbortSignal): AsyncGenerator<Hashing, void> {
  const left = new AbortController();
  const ended = new AbortController();
  const stream = new EventStream<Hashing>();
  const events = stream.read([], ended.signal);
  const working = AbortSignal.any([signal, left.signal]);
  const result = service.hasher.hash(request, (step) => stream.emit({ kind: 'progress', ...step }), working);
  // The result is awaited below; here it only ends the stream of progress.
  result.then(
    () => ended.abort(),
    () => ended.abort(),
  );
  try {
    for await (const steps of events) yield* steps;
    const { pieces, identities } = await result;
    // The caller has them: a long list would be told for nothing.
    yield { kind: 'done', pieces, identities: filesAreFixed(request.segments) ? [] : identities };
  } finally {
    left.abort();
  }
}
