import path from 'node:path';
import type { RouterKind } from './network-lab.ts';

/** An ordinary home router: masquerade, everything from outside dropped without an answer; miniupnpd writes into its three chains. */
export function routerRules(): string {
  return `
table inet lab {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "wan0" accept
    ct state established,related accept
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan0" accept
    ct status dnat accept
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    jump postrouting_miniupnpd
    meta nfproto ipv4 oifname "wan0" masquerade persistent
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

export function miniupnpdConfiguration(kind: RouterKind, folder: string): string {
  const answer = (yes: boolean): string => (yes ? 'yes' : 'no');
  return [
    'ext_ifname=wan0',
    'listening_ip=lan0',
    'http_port=5000',
    `enable_upnp=${answer(kind !== 'pmp')}`,
    `enable_natpmp=${answer(kind === 'pmp' || kind === 'all')}`,
    `force_igd_desc_v1=${answer(kind === 'upnp-v1')}`,
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
    `lease_file=${path.join(folder, 'leases')}`,
    'allow 1024-65535 192.168.77.0/24 1024-65535',
    'deny 0-65535 0.0.0.0/0 0-65535',
    '',
  ].join('\n');
}
