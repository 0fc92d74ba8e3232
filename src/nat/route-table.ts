import { isIPv4 } from 'node:net';

const UP_AND_GATEWAY = 0x3;

/** The default gateway in /proc/net/route of Linux: little-endian hexadecimal addresses. */
export function parseProcRoute(text: string): string | undefined {
  return cheapest(
    text.split('\n').flatMap((line) => {
      const [, destination, gateway = '', flags = '', , , metric = '', mask] = line.trim().split(/\s+/);
      if (destination !== '00000000' || mask !== '00000000' || !/^[0-9A-F]{8}$/i.test(gateway)) return [];
      if ((Number.parseInt(flags, 16) & UP_AND_GATEWAY) !== UP_AND_GATEWAY) return [];
      const bytes = gateway.match(/../g)?.toReversed() ?? [];
      const address = bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
      return [{ address, metric: Number(metric) }];
    }),
  );
}

/** The default gateway in `route -n get default` of macOS. */
export function parseMacRoute(text: string): string | undefined {
  const address = /^\s*gateway:\s*(\S+)/m.exec(text)?.[1] ?? '';
  return isIPv4(address) ? address : undefined;
}

/** The default gateway in `route print -4` of Windows, whose words depend on the language: only the numbers count. */
export function parseWindowsRoute(text: string): string | undefined {
  return cheapest(
    text.split('\n').flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const [destination, mask, address = '', ownAddress = '', metric = ''] = columns;
      // A persistent route has four columns: it may not be in use.
      if (columns.length !== 5 || destination !== '0.0.0.0' || mask !== '0.0.0.0') return [];
      return isIPv4(address) && isIPv4(ownAddress) ? [{ address, metric: Number(metric) }] : [];
    }),
  );
}

function cheapest(routes: readonly { address: string; metric: number }[]): string | undefined {
  const usable = routes.filter((route) => Number.isFinite(route.metric));
  return usable.toSorted((a, b) => a.metric - b.metric)[0]?.address;
}
