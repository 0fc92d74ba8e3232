import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { IceServer } from '../../src/contract/swarm.ts';
import { SERVER_ADDRESS } from './addresses.ts';
import type { LabProcess } from './lab-process.ts';
import type { NetworkLab } from './network-lab.ts';

/** What `startRelay` starts, as members are told of it. */
export const RELAY: IceServer[] = [
  { urls: [`stun:${SERVER_ADDRESS}`], username: '', password: '' },
  { urls: [`turn:${SERVER_ADDRESS}`, `turn:${SERVER_ADDRESS}?transport=tcp`], username: 'ana', password: 'pw' },
];

/** STUN and TURN with a password of its own. */
export async function startRelay(lab: NetworkLab): Promise<LabProcess> {
  const who = ['-n', '-L', SERVER_ADDRESS, '-r', 'lab.test', '-a', '-u', 'ana:pw'];
  const files = ['--pidfile', path.join(lab.folder, 'turn.pid'), '--userdb', path.join(lab.folder, 'turn.db')];
  const quiet = ['--no-cli', '--no-tls', '--no-dtls', '-l', 'stdout'];
  const relay = lab.spawn('server', 'turnserver', ...who, ...files, ...quiet);
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await lab.exec('server', 'ss', '-Hlun', 'sport = :3478')) !== '') return relay;
    await delay(50);
  }
  throw new Error('the relay does not start');
}
