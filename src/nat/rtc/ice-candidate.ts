// RFC 8839: ICE in SDP, §5.1
import { mayBeDevice } from '../../base/ip-address.ts';

export interface IceCandidate {
  readonly address: string;
  readonly port: number;
  readonly type: 'host' | 'srflx' | 'prflx' | 'relay';
  /** `candidate:…` in our own words, without related addresses. */
  readonly text: string;
}

const CANDIDATE =
  /^(?:a=)?candidate:([0-9A-Za-z+/]{1,32}) 1 udp (\d{1,10}) ([0-9A-Fa-f:.]{2,45}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: .*)?$/i;
const MOST_CHARACTERS = 256;
const HIGHEST_PRIORITY = 2 ** 31 - 1;
/** Where a NAT puts nobody (RFC 4787 §4.2.2): what listens there did not ask for our packets. */
const LOWEST_PORT = 1_024;

/** A candidate that may be tried; undefined for any other, host names (also of mDNS) and TCP included. */
export function readCandidate(line: string): IceCandidate | undefined {
  const match = line.length > MOST_CHARACTERS ? null : CANDIDATE.exec(line);
  if (match === null) return undefined;
  const [, foundation = '', priorityText, address = '', portText, typeText = ''] = match;
  const [priority, port] = [Number(priorityText), Number(portText)];
  if (priority < 1 || priority > HIGHEST_PRIORITY || port < LOWEST_PORT || port > 65_535) return undefined;
  if (!mayBeDevice(address)) return undefined;
  const type = candidateType(typeText.toLowerCase());
  return { address, port, type, text: `candidate:${foundation} 1 UDP ${priority} ${address} ${port} typ ${type}` };
}

function candidateType(text: string): IceCandidate['type'] {
  return text === 'host' || text === 'srflx' || text === 'prflx' ? text : 'relay';
}
