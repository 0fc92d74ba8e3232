import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { toHex } from '../base/bytes.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { systemRandom } from '../base/random.ts';
import type { Purpose } from './admission-frames.ts';
import { ANSWER_PROOF_BYTES, CALLER_PROOF_BYTES, NONCE_BYTES } from './admission-frames.ts';
import type { AdmissionDeps, Admitted, AdmittingSphere, Self } from './admission.ts';
import { ADMISSION_TIMEOUT_MS, answerCall, callIn, NO_TORRENT } from './admission.ts';
import { sphereMark } from './sphere-mark.ts';

const sphereId = parseSphereId('5'.repeat(64));
const infoHash = parseInfoHash('1'.repeat(40));
const never = new AbortController().signal;

function device(): Self {
  const { privateKey } = generateKeyPairSync('ed25519');
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { device: parseDeviceKey(toHex(spki.subarray(spki.length - 32))), privateKey };
}

const anna = device();
const ben = device();
const eve = device();
const clock = new VirtualClock();

function deps(self: Self): AdmissionDeps {
  return { clock, random: systemRandom, self };
}

function sphere(options: {
  keys: Uint8Array[];
  listed?: DeviceKey[];
  torrents?: InfoHash[];
  sought?: InfoHash[];
}): AdmittingSphere {
  const listed = new Set(options.listed ?? [anna.device, ben.device]);
  const torrents = new Set(options.torrents ?? [infoHash]);
  return {
    sphereId,
    admissionKeys: options.keys,
    isListed: (key) => listed.has(key),
    has: (hash) => torrents.has(hash),
    seeks: (hash) => options.sought?.includes(hash) === true,
  };
}

/** Runs both sides over one stream; each result is what it admitted or the code it failed with. */
async function meet(options: {
  caller?: Self;
  callerSphere: AdmittingSphere;
  callerKey: Uint8Array;
  answering: AdmittingSphere[];
  answerer?: Self;
  purpose?: Purpose;
  called?: InfoHash;
}): Promise<[unknown, unknown, { caller: Duplex; answerer: Duplex }]> {
  const [a, b] = duplexPair();
  const { callerSphere, callerKey, purpose = 'swarm' } = options;
  const target = { sphere: callerSphere, admissionKey: callerKey, infoHash: options.called ?? infoHash, purpose };
  const calling = callIn(a, target, deps(options.caller ?? anna), never);
  const answering = answerCall(b, options.answering, deps(options.answerer ?? ben), never);
  // Like the listener and the dialer, whoever does not admit ends the stream.
  answering.catch(() => b.destroy());
  calling.catch(() => a.destroy());
  const [called, answered] = await Promise.allSettled([calling, answering]);
  return [outcome(called), outcome(answered), { caller: a, answerer: b }];
}

function outcome(result: PromiseSettledResult<Admitted>): unknown {
  return result.status === 'fulfilled' ? result.value : (result.reason as { code?: string }).code;
}

const key = systemRandom(32);
const older = systemRandom(32);
const ours = sphere({ keys: [key, older] });

test('two listed devices under the same epoch admit each other', async () => {
  const [called, answered] = await meet({ callerSphere: ours, callerKey: key, answering: [ours] });
  expect(called).toEqual({ sphereId, infoHash, device: ben.device, purpose: 'swarm' });
  expect(answered).toEqual({ sphereId, infoHash, device: anna.device, purpose: 'swarm' });
});

test('bytes that follow the last proof stay in the stream', async () => {
  const [, , { caller, answerer }] = await meet({ callerSphere: ours, callerKey: key, answering: [ours] });
  caller.write('hello');
  const [chunk] = await new Promise<[Buffer]>((resolve) => answerer.once('data', (data: Buffer) => resolve([data])));
  expect(chunk.toString()).toBe('hello');
});

test('the previous epoch admits a device that is still listed', async () => {
  const [called] = await meet({ callerSphere: ours, callerKey: older, answering: [ours] });
  expect(called).toMatchObject({ device: ben.device });
});

test('the right sphere is found among many', async () => {
  const others = Array.from({ length: 20 }, () => sphere({ keys: [systemRandom(32), systemRandom(32)] }));
  const [called] = await meet({ callerSphere: ours, callerKey: key, answering: [...others, ours] });
  expect(called).toMatchObject({ sphereId });
});

test('a caller under another key gets nothing', async () => {
  const wrong = sphere({ keys: [systemRandom(32)] });
  const [called, answered] = await meet({ callerSphere: ours, callerKey: key, answering: [wrong] });
  expect([called, answered]).toEqual(['disconnected', 'not-allowed']);
});

test('a removed device is refused under the old key it still has', async () => {
  const [called, answered] = await meet({ caller: eve, callerSphere: ours, callerKey: older, answering: [ours] });
  expect([called, answered]).toEqual(['disconnected', 'not-allowed']);
});

test('a caller refuses an answer from a device that is not listed', async () => {
  const both = sphere({ keys: [key], listed: [anna.device, eve.device] });
  const onlyBen = sphere({ keys: [key], listed: [anna.device, ben.device] });
  const [called] = await meet({ callerSphere: onlyBen, callerKey: key, answering: [both], answerer: eve });
  expect(called).toBe('not-allowed');
});

test('a device that claims the key of another is refused', async () => {
  const liar: Self = { device: anna.device, privateKey: eve.privateKey };
  const [, answered] = await meet({ caller: liar, callerSphere: ours, callerKey: key, answering: [ours] });
  expect(answered).toBe('not-allowed');
});

test('a torrent that is not served here is not admitted', async () => {
  const empty = sphere({ keys: [key], torrents: [] });
  const [called, answered] = await meet({ callerSphere: ours, callerKey: key, answering: [empty] });
  expect([called, answered]).toEqual(['disconnected', 'not-allowed']);
});

test('a metainfo is brought only to whom it is sought by, whether the torrent is served there or not', async () => {
  const seeking = sphere({ keys: [key], torrents: [], sought: [infoHash] });
  const call = { callerSphere: ours, callerKey: key, purpose: 'bring' } as const;
  const [brought] = await meet({ ...call, answering: [seeking] });
  expect(brought).toEqual({ sphereId, infoHash, device: ben.device, purpose: 'bring' });
  const [unasked] = await meet({ ...call, answering: [ours] });
  expect(unasked).toBe('disconnected');
  const [served] = await meet({ callerSphere: ours, callerKey: key, answering: [seeking] });
  expect(served).toBe('disconnected');
});

test('what a device wants is asked for a whole sphere only, under its mark', async () => {
  const asked = await meet({
    callerSphere: ours,
    callerKey: key,
    answering: [sphere({ keys: [key], torrents: [] })],
    purpose: 'wants',
    called: sphereMark(sphereId),
  });
  expect(asked[0]).toEqual({ sphereId, infoHash: sphereMark(sphereId), device: ben.device, purpose: 'wants' });
  const [refused] = await meet({ callerSphere: ours, callerKey: key, answering: [ours], purpose: 'wants' });
  expect(refused).toBe('disconnected');
});

test('nobody admits itself', async () => {
  const [, answered] = await meet({ callerSphere: ours, callerKey: key, answering: [ours], answerer: anna });
  expect(answered).toBe('not-allowed');
});

test('a recorded call opens nothing a second time', async () => {
  const [a, b] = duplexPair();
  const sent: Uint8Array[] = [];
  const write = a.write.bind(a);
  a.write = ((chunk: Uint8Array, done: () => void) => {
    sent.push(chunk);
    return write(chunk, done);
  }) as typeof a.write;
  const target = { sphere: ours, admissionKey: key, infoHash, purpose: 'swarm' } as const;
  await Promise.all([callIn(a, target, deps(anna), never), answerCall(b, [ours], deps(ben), never)]);
  const [c, d] = duplexPair();
  for (const chunk of sent) c.write(chunk);
  await expect(answerCall(d, [ours], deps(ben), never)).rejects.toMatchObject({ code: 'not-allowed' });
});

test('what crosses the wire names neither device nor info hash, and has the specified sizes', async () => {
  const [a, b] = duplexPair();
  const seen: Buffer[] = [];
  const tap = (stream: Duplex): void => {
    const write = stream.write.bind(stream);
    stream.write = ((chunk: Uint8Array, done: () => void) => {
      seen.push(Buffer.from(chunk));
      return write(chunk, done);
    }) as typeof stream.write;
  };
  tap(a);
  tap(b);
  const target = { sphere: ours, admissionKey: key, infoHash, purpose: 'swarm' } as const;
  await Promise.all([callIn(a, target, deps(anna), never), answerCall(b, [ours], deps(ben), never)]);
  expect(seen.map(({ length }) => length)).toEqual([NONCE_BYTES, NONCE_BYTES, CALLER_PROOF_BYTES, ANSWER_PROOF_BYTES]);
  const wire = Buffer.concat(seen).toString('hex');
  for (const name of [infoHash, anna.device, ben.device, sphereId]) expect(wire).not.toContain(name);
});

test('a caller that drips bytes is cut off after five seconds', async () => {
  const [a, b] = duplexPair();
  const settled = Promise.allSettled([answerCall(b, [ours], deps(ben), never)]);
  for (let second = 0; second < ADMISSION_TIMEOUT_MS / 1000; second += 1) {
    a.write(new Uint8Array(1));
    await clock.advance(1000);
  }
  expect(await settled).toMatchObject([{ status: 'rejected', reason: { code: 'timed-out' } }]);
});

test('garbage gets a nonce and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (garbage) => {
      const [a, b] = duplexPair();
      const answers: Buffer[] = [];
      a.on('data', (chunk: Buffer) => answers.push(chunk));
      const answering = answerCall(b, [ours], deps(ben), never);
      a.end(garbage);
      await expect(answering).rejects.toMatchObject({ name: 'AppError' });
      expect(Buffer.concat(answers).length).toBeLessThanOrEqual(NONCE_BYTES);
    }),
    { numRuns: 500 },
  );
});

test('a probe is admitted by whoever has nothing to share, and only as one: it names no torrent', async () => {
  const answering = [sphere({ keys: [key], torrents: [] })];
  const probe = { callerSphere: ours, callerKey: key, answering, purpose: 'probe' as const };
  const [called, answered] = await meet({ ...probe, called: NO_TORRENT });
  expect([called, answered]).toMatchObject([
    { device: ben.device, purpose: 'probe' },
    { device: anna.device, purpose: 'probe' },
  ]);
  expect((await meet(probe)).slice(0, 2)).toEqual(['disconnected', 'not-allowed']);
  const asTorrent = await meet({ ...probe, called: NO_TORRENT, purpose: 'swarm' });
  expect(asTorrent.slice(0, 2)).toEqual(['disconnected', 'not-allowed']);
  const stranger = await meet({ ...probe, called: NO_TORRENT, caller: eve });
  expect(stranger.slice(0, 2)).toEqual(['disconnected', 'not-allowed']);
});
