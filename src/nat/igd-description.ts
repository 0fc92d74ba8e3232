// UPnP Device Architecture 1.1: description, section 2
import { isOn } from './ssdp.ts';
import { findAll, parseXml, textOf } from './xml.ts';

const MOST_SERVICES = 6;
const SERVICE_TYPE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:([12])$/;

/** A service of a router that maps ports. */
export interface WanService {
  readonly serviceType: string;
  readonly version: 1 | 2;
  readonly controlUrl: URL;
}

/** The services in a device description; those whose control URL leaves the device's own address are left out. */
export function readDescription(document: string, location: URL): WanService[] {
  const root = parseXml(document);
  // UDA 1.0 §2.1: relative addresses start at URLBase when there is one.
  const base = URL.parse(textOf(root, 'URLBase') ?? '') ?? location;
  const services = findAll(root, 'service').flatMap((service): WanService[] => {
    const serviceType = textOf(service, 'serviceType') ?? '';
    const version = SERVICE_TYPE.exec(serviceType)?.[1];
    const controlUrl = URL.parse(textOf(service, 'controlURL') ?? '', base.href);
    if (version === undefined || controlUrl === null || !isOn(controlUrl, location.hostname)) return [];
    return [{ serviceType, version: version === '2' ? 2 : 1, controlUrl }];
  });
  return services.slice(0, MOST_SERVICES);
}
