import { once } from 'node:events';
import path from 'node:path';
import type { HomePlan } from './home-plan.ts';
import type { Namespaces } from './namespaces.ts';
import { lossRules } from './router-rules.ts';

const DELAY_LINE = path.join(import.meta.dirname, 'delay-line.py');
const PYTHON = 'python3';

/** Plugs the interface `wan0` of a place into the internet, over a line as slow and as bad as the plan says. */
export async function plugIn(
  namespaces: Namespaces,
  place: string,
  port: string,
  plan: Pick<HomePlan, 'rateMbit' | 'delayMs' | 'lossPercent'>,
): Promise<void> {
  const { rateMbit, delayMs, lossPercent } = plan;
  if (delayMs > 0) await plugInSlowly(namespaces, place, port, delayMs);
  else await namespaces.cable(place, 'wan0', 'wan', port);
  await namespaces.ip('wan', 'link', 'set', port, 'master', 'br0');
  const ends = [
    { at: place, name: 'wan0' },
    { at: 'wan', name: port },
  ];
  for (const { at, name } of ends) {
    if (lossPercent > 0) await namespaces.nft(at, lossRules(name, lossPercent));
    if (rateMbit === 0) continue;
    const shaping = ['rate', `${rateMbit}mbit`, 'burst', '64kb', 'latency', '100ms'];
    await namespaces.exec(at, 'tc', 'qdisc', 'add', 'dev', name, 'root', 'tbf', ...shaping);
  }
}

/** A program holds the frames back, since not every kernel has netem. */
async function plugInSlowly(namespaces: Namespaces, place: string, port: string, delayMs: number): Promise<void> {
  const wire = `${place}-wire`;
  await namespaces.make(wire);
  // The wire itself says nothing.
  await namespaces.exec(wire, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
  await namespaces.cable(place, 'wan0', wire, 'near');
  await namespaces.cable(wire, 'far', 'wan', port);
  await namespaces.exec(place, PYTHON, DELAY_LINE, 'whole', 'wan0');
  await namespaces.exec('wan', PYTHON, DELAY_LINE, 'whole', port);
  const seconds = String(delayMs / 1000);
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const line = namespaces.spawn(wire, [...stdio], PYTHON, DELAY_LINE, seconds, 'near', 'far');
  if (line.stdout !== null) await once(line.stdout, 'data');
}
