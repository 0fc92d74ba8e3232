// UPnP Device Architecture 1.1: description, section 2
import { isOn } from './ssdp.ts';
import { findAll, parseXml, textOf } from './xml.ts';

const MOST_SERVICES = 6;
const CONNECTION = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:([12])$/;
const FIREWALL = /^urn:schemas-upnp-org:service:WANIPv6FirewallControl:([12])$/;

/** A service of a router that maps ports or opens pinholes. */
export interface WanService {
  readonly serviceType: string;
  readonly version: 1 | 2;
  readonly controlUrl: URL;
}

/** The services that map ports; those whose control URL leaves the device's own address are left out. */
export function readConnections(document: string, location: URL): WanService[] {
  return readServices(document, location, CONNECTION);
}

/** The services that open pinholes for IPv6 (InternetGatewayDevice:2), likewise. */
export function readFirewalls(document: string, location: URL): WanService[] {
  return readServices(document, location, FIREWALL);
}

function readServices(document: string, location: URL, wanted: RegExp): WanService[] {
  const root = parseXml(document);
  // UDA 1.0 §2.1: relative addresses start at URLBase when there is one.
  const base = URL.parse(textOf(root, 'URLBase') ?? '') ?? location;
  const services = findAll(root, 'service').flatMap((service): WanService[] => {
    const serviceType = textOf(service, 'serviceType') ?? '';
    const version = wanted.exec(serviceType)?.[1];
    const controlUrl = URL.parse(textOf(service, 'controlURL') ?? '', base.href);
    if (version === undefined || controlUrl === null || !isOn(controlUrl, location.hostname)) return [];
    return [{ serviceType, version: version === '2' ? 2 : 1, controlUrl }];
  });
  return services.slice(0, MOST_SERVICES);
}
