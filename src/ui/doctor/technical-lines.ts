import type { DoctorFacts, DoctorReport, ServerFacts } from '../../contract/doctor.ts';
import type { NetworkState } from '../../contract/swarm.ts';
import { abilityState } from './ability-state.ts';

export interface TechnicalLine {
  readonly label: string;
  readonly value: string;
}

type Say = (key: string, params?: Record<string, string | number>) => string;

/** Writes lines; addresses, names and folders only when the person wants them shown. */
interface Writer {
  readonly say: Say;
  readonly hide: (secret: string) => string;
  /** A person by name, or by a number that means nothing elsewhere. */
  readonly person: (jid: string, name: string) => string;
}

/** The facts as people who know about networks want to read them. */
export function technicalLines(report: DoctorReport, say: Say, showAll: boolean): TechnicalLine[] {
  const { facts, version } = report;
  const writer = createWriter(facts, say, showAll);
  const line = (key: string, value: string): TechnicalLine => ({ label: say(`doctor.technical.${key}`), value });
  const { account, server, transfers, network, disks } = facts;
  return [
    line('version', version),
    line(
      'account',
      account === null ? say('doctor.technical.none') : joined(writer.hide(account.jid), account.state, account.error),
    ),
    ...(server === null ? [] : serverLines(server, writer)),
    line('transfers', joined(transfers.state, String(transfers.port))),
    ...(network === null ? [] : [...networkLines(network, writer), ...deviceLines(facts, network, writer)]),
    ...disks.map(({ folder, freeBytes, writable }) =>
      line(
        'disk',
        joined(
          writer.hide(folder),
          freeBytes === null ? null : `${Math.round(freeBytes / 1e6)} MB`,
          writable ? null : '!',
        ),
      ),
    ),
  ];
}

function createWriter({ devices }: DoctorFacts, say: Say, showAll: boolean): Writer {
  const people = [...new Set(devices.map(({ jid }) => jid as string))];
  return {
    say,
    hide: (secret) => (showAll ? secret : say('doctor.technical.hidden')),
    person: (jid, name) =>
      showAll ? `${name} (${jid})` : say('doctor.technical.person', { number: people.indexOf(jid) + 1 }),
  };
}

function joined(...parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join(' · ');
}

function serverLines(
  { software, tls, resumes, roundTripMs, clockAheadMs, abilities }: ServerFacts,
  { say }: Writer,
): TechnicalLine[] {
  const label = (key: string): string => say(`doctor.technical.${key}`);
  const word = (ms: number | null): string => (ms === null ? label('none') : `${ms} ms`);
  const signs = { has: '+', lacks: '−', unknown: '?' };
  const found = abilities.map(({ name, has }) => `${signs[abilityState(has)]}${name}`);
  return [
    { label: label('server'), value: joined(software, tls, resumes ? 'XEP-0198' : null) },
    { label: label('features'), value: found.length === 0 ? label('none') : found.join(' ') },
    { label: label('roundTrip'), value: word(roundTripMs) },
    { label: label('clock'), value: word(clockAheadMs) },
  ];
}

function networkLines(network: NetworkState, { say, hide }: Writer): TechnicalLine[] {
  const label = (key: string, params?: Record<string, string>): string => say(`doctor.technical.${key}`, params);
  const { ports, pinholes, interfaces, lanHeard, webrtc, iceServers, suspect } = network;
  return [
    ...ports.map(({ purpose, port, state, via, outside, failure }) => ({
      label: label('port', { purpose }),
      value: joined(String(port), state, via, outside === null ? null : hide(outside), failure),
    })),
    ...pinholes.map(({ address, port, open }) => ({
      label: label('pinhole'),
      value: joined(hide(address), String(port), open ? 'open' : 'closed'),
    })),
    ...interfaces.map(({ name, address, family, discovery }) => ({
      label: label('interface'),
      value: joined(name, `IPv${family}`, hide(address), discovery),
    })),
    { label: label('heard'), value: String(lanHeard) },
    { label: label('webrtc'), value: webrtc },
    { label: label('ice'), value: `${iceServers.stun} / ${iceServers.turn}` },
    { label: label('suspect'), value: String(suspect) },
  ];
}

function deviceLines({ devices }: DoctorFacts, { links, attempts }: NetworkState, writer: Writer): TechnicalLine[] {
  return devices.map(({ jid, name, device, sphereId, online }) => {
    const isOf = (entry: { device: string; sphereId: string }): boolean =>
      entry.device === device && entry.sphereId === sphereId;
    const linked = links.filter(isOf).map(({ path, address }) => `= ${path} ${writer.hide(address)}`);
    const tried = attempts.filter(isOf).map(({ path, outcome }) => `${path}: ${outcome}`);
    return {
      label: writer.say('doctor.technical.device', { person: writer.person(jid, name) }),
      value: joined(device.slice(0, 8), online ? 'online' : 'offline', ...linked, tried.join(', ')),
    };
  });
}
