import type { ChildProcess } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HomeAddresses } from './addresses.ts';
import type { HomePlan } from './home-plan.ts';
import { endProcess } from './lab-process.ts';
import type { Namespaces } from './namespaces.ts';

/** The program of a router that opens ports on request: a real miniupnpd, as in many home routers. */
export class MappingDaemon {
  readonly #namespaces: Namespaces;
  readonly #place: string;
  readonly #plan: HomePlan;
  readonly #addresses: HomeAddresses;
  #process: ChildProcess | undefined;

  constructor(namespaces: Namespaces, place: string, plan: HomePlan, addresses: HomeAddresses) {
    this.#namespaces = namespaces;
    this.#place = place;
    this.#plan = plan;
    this.#addresses = addresses;
  }

  async start(): Promise<void> {
    const file = this.#file('conf');
    await writeFile(file, this.#configuration());
    const command = ['miniupnpd', '-d', '-f', file, '-P', this.#file('pid')] as const;
    this.#process = this.#namespaces.spawn(this.#place, ['ignore', 'ignore', 'pipe'], ...command);
    await isReady(this.#process);
  }

  /** As a power cut does; its mappings are lost with it when the router's rules are. */
  async kill(): Promise<void> {
    if (this.#process !== undefined) await endProcess(this.#process, 'SIGKILL');
    this.#process = undefined;
    await rm(this.#file('leases'), { force: true });
  }

  /** For how many seconds yet each port is forwarded. */
  async leases(): Promise<number[]> {
    const lines = (await readFile(this.#file('leases'), 'utf8')).trim().split('\n');
    return lines.map((line) => Number(line.split(':')[4]) - Math.floor(Date.now() / 1000));
  }

  #file(ending: string): string {
    return path.join(this.#namespaces.folder, `${this.#place}.${ending}`);
  }

  #configuration(): string {
    const { mapping, lies, v6 } = this.#plan;
    const { outside, network } = this.#addresses;
    const answer = (yes: boolean): string => (yes ? 'yes' : 'no');
    return [
      'ext_ifname=wan0',
      'ext_ifname6=wan0',
      ...(lies ? [`ext_ip=${outside}`] : []),
      'listening_ip=lan0',
      'http_port=5000',
      `enable_upnp=${answer(['upnp-v1', 'upnp-v2', 'all'].includes(mapping))}`,
      `enable_natpmp=${answer(['pmp', 'pcp', 'all'].includes(mapping))}`,
      `force_igd_desc_v1=${answer(mapping === 'upnp-v1')}`,
      `ipv6_disable=${answer(!v6)}`,
      'min_lifetime=1',
      'max_lifetime=86400',
      'secure_mode=yes',
      'notify_interval=60',
      'system_uptime=no',
      'upnp_table_name=lab',
      'upnp_nat_table_name=lab',
      'upnp_forward_chain=miniupnpd',
      'upnp_nat_chain=prerouting_miniupnpd',
      'upnp_nat_postrouting_chain=postrouting_miniupnpd',
      'uuid=00000000-0000-0000-0000-000000000001',
      `lease_file=${this.#file('leases')}`,
      `allow 1024-65535 ${network} 1024-65535`,
      'deny 0-65535 0.0.0.0/0 0-65535',
      '',
    ].join('\n');
  }
}

async function isReady(daemon: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    daemon.once('exit', (code) => reject(new Error(`miniupnpd ended with ${code}: ${said}`)));
    daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
      if (/listening on|Listening for NAT-PMP/i.test(said)) resolve();
    });
  });
}
