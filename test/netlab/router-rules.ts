import type { HomePlan, Mapping, Nat } from './home-plan.ts';

const PORTS = {
  cone: '',
  fullcone: '',
  tcp: '',
  web: '',
  symmetric: 'meta nfproto ipv4 oifname "wan0" meta l4proto { tcp, udp } masquerade to :1024-65535 fully-random',
} as const satisfies Record<Exclude<Nat, 'open'>, string>;

/** Each packet that goes out by UDP also opens its port to everybody for five minutes. */
const LEARN = 'oifname "wan0" ip protocol udp update @opened { udp sport timeout 5m : ip saddr . udp sport }';
const FULL = 'iifname "wan0" ip protocol udp dnat ip to udp dport map @opened';

const TCP_ONLY = 'iifname "lan0" meta l4proto != tcp drop';

const WEB_ONLY = `${TCP_ONLY}
    iifname "lan0" tcp dport != { 80, 443 } drop`;

/** Both protocols share a port and begin with their version, to which a router that knows the other one is deaf. */
const DEAF: Partial<Record<Mapping, string>> = {
  // miniupnpd hears PCP over IPv6 whatever its settings say.
  'upnp-v1': 'meta nfproto ipv6 iifname "lan0" udp dport 5351 drop',
  'upnp-v2': 'meta nfproto ipv6 iifname "lan0" udp dport 5351 drop',
  pmp: 'iifname "lan0" udp dport 5351 @th,64,8 != 0 drop',
  pcp: 'iifname "lan0" udp dport 5351 @th,64,8 != 2 drop',
};

/** A home router: what comes from outside unasked is dropped without an answer; miniupnpd writes into its three chains. */
export function routerRules(plan: Pick<HomePlan, 'nat' | 'mapping' | 'v6'>): string {
  if (plan.nat === 'open') throw new Error('an open home has no router');
  return `
table inet lab {
  map opened { type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; size 65535; }
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain input {
    type filter hook input priority filter; policy accept;
    ${DEAF[plan.mapping] ?? ''}
    iifname != "wan0" accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ${plan.nat === 'web' ? WEB_ONLY : plan.nat === 'tcp' ? TCP_ONLY : ''}
    meta nfproto ipv6 meta l4proto ipv6-icmp ${plan.v6 ? 'accept' : 'drop'}
    meta nfproto ipv6 iifname "lan0" ${plan.v6 ? 'accept' : 'drop'}
    meta nfproto ipv4 iifname "lan0" accept
    ct status dnat accept
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump prerouting_miniupnpd
    ${plan.nat === 'fullcone' ? FULL : ''}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    jump postrouting_miniupnpd
    ${plan.nat === 'fullcone' ? LEARN : ''}
    ${PORTS[plan.nat]}
    meta nfproto ipv4 oifname "wan0" masquerade persistent
    meta nfproto ipv4 iifname "lan0" oifname "lan0" ct status dnat masquerade
  }
}
`;
}

/** The provider's router: many homes behind one address; IPv6 passes. */
export function providerRules(nat: 'cone' | 'symmetric'): string {
  return `
table inet lab {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "wan0" accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    meta nfproto ipv6 accept
    iifname "lan0" accept
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${PORTS[nat]}
    meta nfproto ipv4 oifname "wan0" masquerade persistent
  }
}
`;
}

/** Loses every so many packets that come in through an interface. */
export function lossRules(name: string, percent: number): string {
  return `
table netdev loss {
  chain ingress {
    type filter hook ingress device ${name} priority 0; policy accept;
    numgen random mod 10000 < ${Math.round(percent * 100)} drop
  }
}
`;
}

/** Counts SSDP, PCP, NAT-PMP and everything else a host sends to the router itself. */
export function routerTalkRules(router: string): string {
  return `
table inet talk {
  counter said { }
  chain output {
    type filter hook output priority filter; policy accept;
    meta l4proto udp udp dport { 1900, 5351 } counter name said
    ip daddr ${router} meta l4proto tcp counter name said
  }
}
`;
}
