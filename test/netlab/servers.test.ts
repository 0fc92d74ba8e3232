import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import { SERVER_ADDRESS } from './addresses.ts';
import { Bytestream } from './bytestream.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';
import { LabServers } from './servers.ts';

const reason = (await whyNoLab()) ?? missingPrograms('prosody', 'openssl', 'turnserver', 'turnutils_uclient');
if (reason !== undefined) console.warn(`SKIPPED: the servers of the laboratory: ${reason}`);

const ASK = path.join(import.meta.dirname, 'ask-services.ts');
const REACH = path.join(import.meta.dirname, 'reach.ts');

interface Service {
  readonly type: string;
  readonly host: string;
  readonly transport?: string;
  readonly username?: string;
  readonly password?: string;
}

describe.skipIf(reason !== undefined)('the servers of the laboratory', () => {
  test('the XMPP server names a relay and credentials with which it relays', async () => {
    await using lab = await NetworkLab.start({ a: 'symmetric' });
    await using servers = await LabServers.start(lab, { users: { ana: 'pw' } });
    const asked = await lab.exec('a1', process.execPath, ASK, 'ana@lab.test', 'pw', servers.caFile, servers.address);
    const services = JSON.parse(asked) as Service[];
    expect(services).toContainEqual(expect.objectContaining({ type: 'stun', host: 'turn.lab.test' }));
    const relay = services.find(({ type, transport }) => type === 'turn' && transport === 'udp');
    expect(relay).toMatchObject({ host: 'turn.lab.test', username: expect.any(String), password: expect.any(String) });
    const credentials = ['-u', relay?.username ?? '', '-w', relay?.password ?? ''];
    // Two allocations send each other ten messages.
    const ask = ['turnutils_uclient', '-y', '-c', '-n', '10', ...credentials, SERVER_ADDRESS] as const;
    // It counts datagrams, which a busy machine may drop.
    await expect.poll(() => lab.exec('a1', ...ask), { timeout: 60_000 }).toMatch(/tot_send_msgs=20, tot_recv_msgs=20/);
  });

  test('a home that reaches the web only signs in on port 443', async () => {
    await using lab = await NetworkLab.start({ a: 'web' });
    await using servers = await LabServers.start(lab, { users: { ana: 'pw' }, announcesRelay: false });
    expect((await lab.exec('a1', process.execPath, REACH, SERVER_ADDRESS, '5222', 'briefly')).trim()).toBe('silence');
    const signIn = [ASK, 'ana@lab.test', 'pw', servers.caFile, servers.webAddress];
    // Signed in, it is told that this server announces nothing.
    await expect(lab.exec('a1', process.execPath, ...signIn)).rejects.toThrow('service-unavailable');
  });

  test('a file goes through the proxy between two homes that cannot connect', async () => {
    await using lab = await NetworkLab.start({ a: 'symmetric', b: 'symmetric' });
    const users = { ana: passwordOf('ana'), ben: passwordOf('ben') };
    await using servers = await LabServers.start(lab, { users, announcesRelay: false });
    const ends = { sender: { name: 'ana', host: 'a1' }, receiver: { name: 'ben', host: 'b1' } };
    await using bytestream = await Bytestream.start(lab, servers, ends);
    const bytes = randomBytes(1_000_000);
    const file = path.join(lab.folder, 'film.bin');
    await writeFile(file, bytes);
    const { sha256 } = await bytestream.send(file, bytes.length);
    expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  });
});
