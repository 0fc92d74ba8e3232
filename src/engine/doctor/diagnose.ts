import type { DoctorFacts, Finding } from '../../contract/doctor.ts';
import type { Area } from '../../contract/findings.ts';
import { AREAS } from '../../contract/findings.ts';
import { SERVER_ABILITIES, type ServerAbility } from '../../contract/server-abilities.ts';
import { finding } from './finding.ts';
import { isReachable, waysIn } from './ways-in.ts';

/** From here on a person notices. */
const SLOW_MS = 1_500;
/** Certificates, and the order of messages, bear less than they seem. */
const CLOCK_MS = 60_000;
const FULL_BYTES = 200_000_000;
const LOW_BYTES = 5_000_000_000;

/** Their lack has a finding of its own. */
const TOLD_APART: ReadonlySet<ServerAbility> = new Set(['archive', 'resumption']);

/** What is found in the facts, in the order of the areas; areas of which nothing is known yet are left out. */
export function diagnose(facts: DoctorFacts): Finding[] {
  const byArea: Record<Area, (facts: DoctorFacts) => Finding[]> = {
    server: diagnoseServer,
    transfers: diagnoseTransfers,
    router: diagnoseRouter,
    ipv6: diagnoseIpv6,
    nearby: diagnoseNearby,
    helpers: diagnoseHelpers,
    disk: diagnoseDisks,
    clock: diagnoseClock,
  };
  return AREAS.flatMap((area) => byArea[area](facts));
}

function diagnoseServer({ account, server }: DoctorFacts): Finding[] {
  if (account === null) return [finding('signed-out')];
  if (account.state === 'connecting') return [finding('server-connecting')];
  if (account.state === 'failed') return [finding('sign-in-refused', { error: account.error ?? 'internal' })];
  if (account.state === 'offline') return [finding('server-away', { error: account.error ?? 'disconnected' })];
  if (server === null) return [];
  const { features, abilities, roundTripMs, resumes } = server;
  const lacks = abilities.filter(
    ({ name, has }) => has === false && SERVER_ABILITIES[name].need === 'should' && !TOLD_APART.has(name),
  );
  if (features !== null && !(features.rooms && features.personalNodes)) return [finding('server-unfit')];
  const worries = [
    ...(features?.archive === false ? [finding('server-forgets')] : []),
    ...(roundTripMs === null ? [finding('server-silent')] : []),
    ...(roundTripMs !== null && roundTripMs > SLOW_MS ? [finding('server-slow', { ms: roundTripMs })] : []),
    ...(resumes ? [] : [finding('server-breaks-off')]),
    ...(lacks.length > 0 ? [finding('server-lacks', { names: lacks.map(({ name }) => name).join(', ') })] : []),
  ];
  return [finding('server-reached', roundTripMs === null ? {} : { ms: roundTripMs }), ...worries];
}

/** Without an account nothing is shared, and there is nothing to say of it. */
function diagnoseTransfers({ account, transfers, network }: DoctorFacts): Finding[] {
  if (account === null) return [];
  const refused = network?.ports.filter(({ purpose, failure }) => purpose === 'extra' && failure !== null) ?? [];
  const extra = refused.map(({ port, failure }) => finding('extra-door-closed', { number: port, why: failure ?? '' }));
  if (transfers.state === 'running') return [finding('transfers-ready'), ...extra];
  return [finding(transfers.state === 'stopped' ? 'transfers-stopped' : 'transfers-starting'), ...extra];
}

function diagnoseRouter({ network }: DoctorFacts): Finding[] {
  if (network === null) return [];
  const { via } = network.ports.find(({ purpose, state }) => purpose === 'data' && state !== 'searching') ?? {};
  return [finding(`router-${waysIn(network).door}`, via === null || via === undefined ? {} : { via })];
}

function diagnoseIpv6({ network }: DoctorFacts): Finding[] {
  if (network === null) return [];
  const { ipv6 } = waysIn(network);
  return [finding(`ipv6-${ipv6}`)];
}

function diagnoseNearby({ network, account }: DoctorFacts): Finding[] {
  if (network === null) return [];
  const { interfaces, lanHeard } = network;
  const isOnline = account?.state === 'online';
  if (interfaces.length === 0 && !isOnline) return [finding('network-none')];
  const failed = interfaces.filter(({ discovery }) => discovery === 'failed');
  if (failed.length > 0) return [finding('nearby-failed', { where: namesOf(failed) })];
  const on = interfaces.filter(({ discovery }) => discovery === 'on');
  if (on.length === 0) return [finding('nearby-off')];
  return [finding('nearby-on', { where: namesOf(on), heard: lanHeard })];
}

function namesOf(interfaces: readonly { readonly name: string }[]): string {
  return [...new Set(interfaces.map(({ name }) => name))].join(', ');
}

/** Helpers matter as far as others cannot come in by themselves. */
function diagnoseHelpers({ network }: DoctorFacts): Finding[] {
  if (network === null) return [];
  const { webrtc, iceServers, attempts } = network;
  const relayed = attempts.filter(({ path, outcome }) => path === 'turn' && outcome !== 'untried');
  const isRelaySilent = relayed.length > 0 && relayed.every(({ outcome }) => outcome !== 'connected');
  const isOpen = isReachable(network);
  if (webrtc === 'unavailable') return [finding('helper-unusable')];
  if (iceServers.turn > 0) return [finding(isRelaySilent ? 'helper-silent' : 'helper-relay')];
  if (iceServers.stun > 0) return [finding('helper-introduces')];
  return [finding(isOpen ? 'helper-not-needed' : 'helper-missing')];
}

function diagnoseDisks({ disks }: DoctorFacts): Finding[] {
  const found = disks.flatMap(({ sphere, freeBytes, writable, folder }) => {
    if (!writable) return [finding('disk-locked', { sphere, folder })];
    if (freeBytes === null || freeBytes >= LOW_BYTES) return [];
    return [finding(freeBytes < FULL_BYTES ? 'disk-full' : 'disk-low', { sphere, bytes: freeBytes })];
  });
  if (found.length > 0 || disks.length === 0) return found;
  const free = disks.flatMap(({ freeBytes }) => freeBytes ?? []);
  return [finding('disk-room', free.length === 0 ? {} : { bytes: Math.min(...free) })];
}

function diagnoseClock({ server }: DoctorFacts): Finding[] {
  if (server === null) return [];
  const { clockAheadMs: ahead } = server;
  if (ahead === null) return [finding('clock-unknown')];
  if (Math.abs(ahead) <= CLOCK_MS) return [finding('clock-right')];
  return [finding('clock-wrong', { ms: Math.abs(ahead), direction: ahead > 0 ? 'ahead' : 'behind' })];
}
