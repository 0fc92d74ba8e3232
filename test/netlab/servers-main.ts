import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { startProsody } from '../fixtures/prosody.ts';
import { DOMAIN, SERVER_ADDRESS, SERVER_ADDRESS_2 } from './addresses.ts';

/** Runs on the server of the laboratory: Prosody and coturn. Writes a line when both answer. */
const TURN_PORT = 3478;
const { users, announcesRelay, proxyPort } = z
  .object({ users: z.record(z.string(), z.string()), announcesRelay: z.boolean(), proxyPort: z.number() })
  .parse(JSON.parse(process.argv[2] ?? ''));
const secret = randomBytes(16).toString('hex');
await startRelay();
const prosody = await startProsody({
  domain: DOMAIN,
  address: SERVER_ADDRESS,
  ports: { c2s: 5222, directTls: 443 },
  users,
  modules: announcesRelay ? ['turn_external'] : [],
  globalLines: `
c2s_direct_tls_interfaces = { "${SERVER_ADDRESS_2}" }
turn_external_host = "turn.${DOMAIN}"
turn_external_port = ${TURN_PORT}
turn_external_secret = "${secret}"
proxy65_ports = { ${proxyPort} }
Component "proxy.${DOMAIN}" "proxy65"
  proxy65_address = "${SERVER_ADDRESS}"`,
});
process.once('SIGTERM', () => process.exit(0));
console.log(JSON.stringify({ caFile: prosody.caFile, log: prosody.logFile }));

async function startRelay(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'coturn-'));
  const turn = [
    ...['-n', '-L', SERVER_ADDRESS, '-p', String(TURN_PORT), '-r', DOMAIN],
    ...['--use-auth-secret', `--static-auth-secret=${secret}`, '--no-cli', '--no-tls', '--no-dtls', '--no-tcp'],
    ...['--min-port', '50000', '--max-port', '50999', '-l', 'stdout'],
    ...['--pidfile', path.join(folder, 'pid'), '--userdb', path.join(folder, 'users.db')],
  ];
  const relay = spawn('turnserver', turn, { stdio: ['ignore', 'ignore', 'inherit'] });
  relay.once('exit', (code) => {
    console.error(`coturn ended with ${code}`);
    process.exit(1);
  });
  process.once('exit', () => relay.kill('SIGKILL'));
  while (!(await answersStun())) await delay(50);
}

/** RFC 8489 §5: an empty binding request. */
async function answersStun(): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]);
  socket.send(request, TURN_PORT, SERVER_ADDRESS);
  const answered = once(socket, 'message').then(() => true);
  const yes = await Promise.race([answered, delay(200, false)]);
  socket.close();
  return yes;
}
