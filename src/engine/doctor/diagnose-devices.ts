import type { DeviceFacts, DeviceReport, DoctorFacts } from '../../contract/doctor.ts';
import type { ADVICE_CODES, BECAUSE_CODES } from '../../contract/findings.ts';
import type { NetworkState, Path } from '../../contract/swarm.ts';
import { pathSchema } from '../../contract/swarm.ts';
import type { WaysIn } from './ways-in.ts';
import { waysIn } from './ways-in.ts';

type Because = (typeof BECAUSE_CODES)[number];
type Advice = (typeof ADVICE_CODES)[number];
type Outcome = NetworkState['attempts'][number]['outcome'];

interface Situation {
  readonly network: NetworkState;
  readonly ways: WaysIn;
  readonly outcome: (path: Path) => Outcome;
}

/** What stands between us and each device of the members, best path first in every list of reasons. */
export function diagnoseDevices({ devices, network }: DoctorFacts): DeviceReport[] {
  const reports = devices.map((device) => diagnoseDevice(device, network));
  const linked = reports.filter(({ state }) => state === 'connected');
  return reports.map((report) => {
    if (report.state !== 'unreached') return report;
    const carriers = linked.filter(({ sphereId }) => sphereId === report.sphereId);
    // That the person is online was true of the other device; nobody knows of this one.
    if (carriers.some(({ jid }) => jid === report.jid)) {
      return { ...report, state: 'silent', severity: 'info', advice: null };
    }
    return carriers.length > 0 ? { ...report, state: 'carried', severity: 'warning' } : report;
  });
}

function diagnoseDevice(device: DeviceFacts, network: NetworkState | null): DeviceReport {
  const { online, waits, ...who } = device;
  const nothing = { path: null, because: [], advice: null };
  if (network === null) return { ...who, ...nothing, state: online ? 'connecting' : 'offline', severity: 'info' };
  const ofDevice = (entry: { sphereId: string; device: string }): boolean =>
    entry.device === device.device && entry.sphereId === device.sphereId;
  const attempts = network.attempts.filter(ofDevice);
  const situation: Situation = {
    network,
    ways: waysIn(network),
    outcome: (path) => attempts.find((attempt) => attempt.path === path)?.outcome ?? 'untried',
  };
  const path = bestPath(network.links.filter(ofDevice).map((link) => link.path));
  if (path !== null) return { ...who, state: 'connected', ...connected(path, situation) };
  if (!online) return { ...who, ...nothing, state: 'offline', severity: 'info' };
  const isTried = attempts.some(({ outcome }) => outcome === 'unreachable' || outcome === 'refused');
  // A path that was good a moment ago and is not used now has nothing left to do.
  const wasConnected = attempts.some(({ outcome }) => outcome === 'connected');
  if (!waits && (!isTried || wasConnected)) return { ...who, ...nothing, state: 'idle', severity: 'info' };
  const isTrying = attempts.some(({ path: way, outcome }) => outcome === 'untried' && isUsable(way, network));
  const because = reasons(pathSchema.options, situation);
  if (isTrying || wasConnected)
    return { ...who, path: null, because, state: 'connecting', severity: 'info', advice: 'wait' };
  return { ...who, path: null, because, state: 'unreached', severity: 'problem', advice: adviceFor(situation) };
}

function isUsable(path: Path, { webrtc, iceServers }: NetworkState): boolean {
  if (path === 'turn') return webrtc === 'ready' && iceServers.turn > 0;
  return path !== 'webrtc' || webrtc === 'ready';
}

function bestPath(paths: readonly Path[]): Path | null {
  return pathSchema.options.find((path) => paths.includes(path)) ?? null;
}

function connected(path: Path, situation: Situation): Pick<DeviceReport, 'path' | 'because' | 'advice' | 'severity'> {
  const better = pathSchema.options.slice(0, pathSchema.options.indexOf(path));
  const isRelayed = path === 'turn';
  return {
    path,
    because: reasons(better, situation),
    advice: isRelayed ? adviceFor(situation) : null,
    severity: isRelayed ? 'warning' : 'ok',
  };
}

function reasons(paths: readonly Path[], situation: Situation): Because[] {
  return [...new Set(paths.map((path) => REASONS[path](situation)))];
}

const REASONS: Readonly<Record<Path, (situation: Situation) => Because>> = {
  lan: ({ outcome }) => pick(outcome('lan'), { unreachable: 'nearby-silent', refused: 'nearby-refused' }, 'apart'),
  ipv6: ({ outcome, ways }) => {
    if (ways.ipv6 === 'none') return 'ipv6-ours';
    const known: Known = { unreachable: 'ipv6-silent', refused: 'ipv6-refused', 'no-address': 'ipv6-theirs' };
    return pick(outcome('ipv6'), known, 'not-tried');
  },
  tcp: ({ outcome, ways: { door } }) => {
    const theirs = outcome('tcp');
    if (theirs === 'unreachable') return 'door-silent';
    if (theirs === 'refused') return 'door-refused';
    if (theirs !== 'no-address') return 'not-tried';
    if (door === 'open' || door === 'unconfirmed' || door === 'not-needed') return 'door-unused';
    return door === 'shared' ? 'door-shared' : door === 'lied' ? 'door-lied' : 'doors-closed';
  },
  webrtc: ({ outcome, network }) => {
    if (network.webrtc === 'unavailable') return 'through-ours';
    if (outcome('webrtc') === 'no-address') return 'through-theirs';
    const { stun, turn } = network.iceServers;
    if (stun + turn === 0) return 'through-no-helper';
    // One attempt is one at both: a relay is only taken when nothing direct answered.
    const isTried = outcome('webrtc') !== 'untried' || outcome('turn') === 'connected';
    return isTried ? 'through-blocked' : 'not-tried';
  },
  turn: ({ network }) => (network.iceServers.turn === 0 ? 'relay-none' : 'relay-silent'),
};

type Known = Partial<Record<Outcome, Because>>;

function pick(outcome: Outcome, known: Known, otherwise: Because): Because {
  return known[outcome] ?? otherwise;
}

/** The one thing that helps most, on our side first. */
function adviceFor({ ways }: Situation): Advice {
  if (ways.door === 'closed' || ways.door === 'not-asked') return 'open-router';
  if (ways.door === 'lied') return 'restart-router';
  return ways.door === 'shared' ? 'leave-one-on' : 'ask-them';
}
