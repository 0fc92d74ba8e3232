import type { HomeAddresses } from './addresses.ts';
import { homeAddresses, nextOutside, nextPrefix, WAN_GATEWAY, WAN_GATEWAY6 } from './addresses.ts';
import type { HomePlan, Nat } from './home-plan.ts';
import { MappingDaemon } from './mapping-daemon.ts';
import type { Namespaces } from './namespaces.ts';
import { providerRules, routerRules } from './router-rules.ts';
import { plugIn } from './wan-line.ts';

/** The number of a guest, behind those of the hosts. */
const WELCOME = 20;

/** Between a router and the network it belongs to. */
interface Uplink {
  readonly address: string;
  readonly gateway: string;
  readonly address6: string;
  readonly gateway6: string;
}

/** The home `a`: the hosts `a1`, `a2` …, the router `a-router` and, behind a shared address, the provider's `a-isp`. */
export class Home {
  readonly name: string;
  readonly plan: HomePlan;
  readonly #namespaces: Namespaces;
  readonly #daemon: MappingDaemon | undefined;
  #addresses: HomeAddresses;
  #outside: string;

  constructor(namespaces: Namespaces, name: string, plan: HomePlan, index: number) {
    this.name = name;
    this.plan = plan;
    this.#addresses = homeAddresses(index);
    this.#namespaces = namespaces;
    this.#outside = this.addresses.outside;
    if (plan.mapping !== 'none') this.#daemon = new MappingDaemon(namespaces, `${name}-router`, plan, this.addresses);
  }

  get addresses(): HomeAddresses {
    return this.#addresses;
  }

  /** The public address of now. */
  get outside(): string {
    return this.#outside;
  }

  get hosts(): readonly string[] {
    return Array.from({ length: this.plan.hosts }, (_, index) => `${this.name}${index + 1}`);
  }

  get router(): string {
    if (this.plan.nat === 'open') throw new Error(`${this.name} has no router`);
    return `${this.name}-router`;
  }

  /** The place whose `wan0` has the public address. */
  get edge(): string {
    if (this.plan.nat === 'open') return `${this.name}1`;
    return this.plan.isp === 'none' ? this.router : `${this.name}-isp`;
  }

  /** The end of this home's line at the internet. */
  get port(): string {
    return `to-${this.name}`;
  }

  async build(): Promise<void> {
    const { outside: address, outside6: address6 } = this.addresses;
    await this.#namespaces.make(this.edge);
    await plugIn(this.#namespaces, this.edge, this.port, this.plan);
    await this.#connect(this.edge, { address, gateway: WAN_GATEWAY, address6, gateway6: WAN_GATEWAY6 });
    if (this.plan.nat === 'open') return;
    if (this.plan.isp !== 'none') await this.#buildProvider(this.plan.isp);
    await this.#buildNetwork();
    if (this.plan.v6) await this.#routeBack(address6);
    await this.#startRouter();
  }

  /** The router loses power: it forgets every connection and mapping, and starts anew. */
  async reboot(): Promise<void> {
    await this.#daemon?.kill();
    await this.#namespaces.exec(this.router, 'nft', 'flush', 'ruleset');
    await this.#namespaces.exec(this.router, 'conntrack', '-F');
    await this.#startRouter();
  }

  /** Another kind of router stands there from now on, and what is connected goes on. */
  async becomes(nat: Exclude<Nat, 'open'>): Promise<void> {
    await this.#namespaces.nft(this.router, `flush ruleset\n${routerRules({ ...this.plan, nat })}`);
  }

  /** Somebody has told the router to lead callers of a port to a host. */
  async forward(port: number, host: number): Promise<void> {
    // Neighbours who remember an address that the router no longer has still send here.
    const own = ['fib', 'daddr', 'type', 'local'];
    const rule = [
      'iifname',
      'wan0',
      ...own,
      'tcp',
      'dport',
      String(port),
      'dnat',
      'ip',
      'to',
      this.addresses.host(host),
    ];
    await this.#namespaces.exec(this.router, 'nft', 'add', 'rule', 'inet', 'lab', 'prerouting', ...rule);
  }

  /** A host of another home comes into this network too, as a telephone does that keeps its mobile line; its address there. */
  async welcome(host: string): Promise<string> {
    const address = this.addresses.host(WELCOME);
    await this.#namespaces.cable(host, 'eth1', this.router, host);
    await this.#namespaces.ip(this.router, 'link', 'set', host, 'master', 'lan0');
    await this.#namespaces.ip(host, 'addr', 'add', `${address}/24`, 'dev', 'eth1');
    return address;
  }

  /**
   * The provider gives the home another public address, and another prefix where it has IPv6; what was connected through
   * the old ones is forgotten.
   */
  async changeAddress(): Promise<string> {
    const { edge } = this;
    const next = nextOutside(this.#outside);
    await this.#namespaces.ip(edge, 'addr', 'del', `${this.#outside}/24`, 'dev', 'wan0');
    await this.#namespaces.ip(edge, 'addr', 'add', `${next}/24`, 'dev', 'wan0');
    await this.#namespaces.ip(edge, 'route', 'replace', 'default', 'via', WAN_GATEWAY);
    if (this.plan.v6 && this.plan.nat !== 'open') await this.#changePrefix();
    if (this.plan.nat !== 'open') await this.#namespaces.exec(edge, 'conntrack', '-F');
    this.#outside = next;
    return next;
  }

  /** The ports that the router forwards, as `outside-port address:port`. */
  async forwarded(): Promise<string[]> {
    const chain = ['inet', 'lab', 'prerouting_miniupnpd'];
    const rules = await this.#namespaces.exec(this.router, 'nft', 'list', 'chain', ...chain);
    return [...rules.matchAll(/dport (\d+) dnat ip to ([\d.:]+)/g)].map(([, port, to]) => `${port} ${to}`);
  }

  /** The hosts and ports that the router's firewall lets IPv6 callers through to, as `address port`. */
  async pinholes(): Promise<string[]> {
    const rules = await this.#namespaces.exec(this.router, 'nft', 'list', 'chain', 'inet', 'lab', 'miniupnpd');
    return [...rules.matchAll(/dport (\d+).*?@nh,192,128 0x([\da-f]+)/g)].map(
      ([, port, bits = '']) => `${textOfAddress6(bits)} ${port}`,
    );
  }

  /** For how many seconds yet the router forwards each port by itself. */
  async leases(): Promise<number[]> {
    return (await this.#daemon?.leases()) ?? [];
  }

  async #changePrefix(): Promise<void> {
    const { router } = this;
    const [old, next] = [this.#addresses, nextPrefix(this.#addresses)];
    this.#addresses = next;
    await this.#namespaces.ip(router, 'addr', 'del', `${old.router6}/64`, 'dev', 'lan0');
    await this.#namespaces.ip(router, 'addr', 'add', `${next.router6}/64`, 'dev', 'lan0', 'nodad');
    await this.#namespaces.ip('wan', '-6', 'route', 'del', old.network6);
    if (this.plan.isp !== 'none') await this.#namespaces.ip(this.edge, '-6', 'route', 'del', old.network6);
    await this.#routeBack(old.outside6);
    for (const [index, host] of this.hosts.entries()) {
      const number = index + 1;
      await this.#namespaces.ip(host, 'addr', 'del', `${old.host6(number)}/64`, 'dev', 'eth0');
      await this.#namespaces.ip(host, 'addr', 'add', `${next.host6(number)}/64`, 'dev', 'eth0', 'nodad');
      await this.#namespaces.ip(host, '-6', 'route', 'replace', 'default', 'via', next.router6);
    }
  }

  async #buildProvider(nat: 'cone' | 'symmetric'): Promise<void> {
    const { shared, shared6 } = this.addresses;
    const { edge, router } = this;
    await this.#namespaces.make(router);
    await this.#namespaces.cable(edge, 'lan0', router, 'wan0');
    await this.#forwards(edge);
    await this.#giveAddresses(edge, 'lan0', `${shared.provider}/24`, `${shared6.provider}/64`);
    await this.#namespaces.nft(edge, providerRules(nat));
    await this.#connect(router, {
      address: shared.home,
      gateway: shared.provider,
      address6: shared6.home,
      gateway6: shared6.provider,
    });
  }

  async #buildNetwork(): Promise<void> {
    const { addresses, router } = this;
    await this.#namespaces.bridge(router, 'lan0');
    await this.#forwards(router);
    await this.#giveAddresses(router, 'lan0', `${addresses.router}/24`, `${addresses.router6}/64`);
    for (const [index, host] of this.hosts.entries()) {
      await this.#namespaces.make(host);
      await this.#namespaces.cable(host, 'eth0', router, host);
      await this.#namespaces.ip(router, 'link', 'set', host, 'master', 'lan0');
      const own6 = `${addresses.host6(index + 1)}/64`;
      await this.#giveAddresses(host, 'eth0', `${addresses.host(index + 1)}/24`, own6);
      await this.#namespaces.ip(host, 'route', 'add', 'default', 'via', addresses.router);
      if (this.plan.v6) await this.#namespaces.ip(host, '-6', 'route', 'add', 'default', 'via', addresses.router6);
    }
  }

  async #startRouter(): Promise<void> {
    await this.#namespaces.nft(this.router, routerRules(this.plan));
    await this.#daemon?.start();
  }

  async #connect(place: string, uplink: Uplink): Promise<void> {
    await this.#giveAddresses(place, 'wan0', `${uplink.address}/24`, `${uplink.address6}/64`);
    await this.#namespaces.ip(place, 'route', 'add', 'default', 'via', uplink.gateway);
    if (this.plan.v6) await this.#namespaces.ip(place, '-6', 'route', 'add', 'default', 'via', uplink.gateway6);
  }

  async #giveAddresses(place: string, name: string, address: string, address6: string): Promise<void> {
    await this.#namespaces.ip(place, 'addr', 'add', address, 'dev', name);
    if (this.plan.v6) await this.#namespaces.ip(place, 'addr', 'add', address6, 'dev', name, 'nodad');
  }

  async #forwards(place: string): Promise<void> {
    const settings = ['net.ipv4.ip_forward=1', ...(this.plan.v6 ? ['net.ipv6.conf.all.forwarding=1'] : [])];
    await this.#namespaces.exec(place, 'sysctl', '-qw', ...settings);
  }

  /** The internet, and the provider, learn the way to the home's own addresses. */
  async #routeBack(edge6: string): Promise<void> {
    const { network6, shared6 } = this.addresses;
    await this.#namespaces.ip('wan', '-6', 'route', 'replace', network6, 'via', edge6);
    if (this.plan.isp === 'none') return;
    await this.#namespaces.ip('wan', '-6', 'route', 'replace', `${shared6.home}/128`, 'via', edge6);
    await this.#namespaces.ip(this.edge, '-6', 'route', 'replace', network6, 'via', shared6.home);
  }
}

/** nft shows an address that it compares as bits as one number. */
function textOfAddress6(hex: string): string {
  const groups = hex.padStart(32, '0').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
