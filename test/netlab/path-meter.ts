import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { SERVER_ADDRESS, SERVER_ADDRESS_2 } from './addresses.ts';
import type { NetworkLab } from './network-lab.ts';

/** How bytes came to a host, judged by their packets: over its own network, IPv6, TCP, UDP or a relay, or from a carrier. */
export const PATHS = ['lan', 'ipv6', 'tcp', 'webrtc', 'turn', 'carrier'] as const;
export type Path = (typeof PATHS)[number];

/** Counts, from now on, the bytes that come to a host on each path. */
export class PathMeter {
  readonly #lab: NetworkLab;
  readonly #host: string;

  private constructor(lab: NetworkLab, host: string) {
    this.#lab = lab;
    this.#host = host;
  }

  /** `carrier` is the address of the member that carries for others. */
  static async start(lab: NetworkLab, host: string, carrier?: string): Promise<PathMeter> {
    const file = path.join(lab.folder, `${host}.paths.nft`);
    writeFileSync(file, rules(carrier));
    await lab.exec(host, 'nft', '-f', file);
    return new PathMeter(lab, host);
  }

  /** The path of most bytes. */
  async main(): Promise<Path> {
    const bytes = await this.bytes();
    return PATHS.reduce((most, each) => (bytes[each] > bytes[most] ? each : most));
  }

  async bytes(): Promise<Record<Path, number>> {
    const told = await this.#lab.exec(this.#host, 'nft', 'list', 'counters', 'table', 'inet', 'paths');
    const count = (name: Path): number =>
      Number(new RegExp(`counter by_${name} {\\s*packets \\d+ bytes (\\d+)`).exec(told)?.[1] ?? 0);
    const [lan, ipv6, tcp, webrtc, turn, carrier] = PATHS.map(count);
    return {
      lan: lan ?? 0,
      ipv6: ipv6 ?? 0,
      tcp: tcp ?? 0,
      webrtc: webrtc ?? 0,
      turn: turn ?? 0,
      carrier: carrier ?? 0,
    };
  }
}

function rules(carrier: string | undefined): string {
  const near = 'ip saddr { 192.168.0.0/16, 100.64.0.0/10 }';
  return `
table inet paths {
${PATHS.map((name) => `  counter by_${name} { }`).join('\n')}
  chain input {
    type filter hook input priority -300; policy accept;
    iifname "lo" accept
    ip saddr { ${SERVER_ADDRESS}, ${SERVER_ADDRESS_2} } meta l4proto udp counter name by_turn accept
    ip saddr { ${SERVER_ADDRESS}, ${SERVER_ADDRESS_2} } accept
    ${carrier === undefined ? '' : `ip saddr ${carrier} counter name by_carrier accept`}
    meta l4proto udp udp sport { 53, 1900, 5350, 5351, 6771 } accept
    meta l4proto udp counter name by_webrtc accept
    meta l4proto != tcp accept
    ${near} counter name by_lan accept
    ip6 saddr fe80::/10 counter name by_lan accept
    meta nfproto ipv6 counter name by_ipv6 accept
    counter name by_tcp accept
  }
}
`;
}
