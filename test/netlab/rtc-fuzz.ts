import { randomBytes, randomInt } from 'node:crypto';
import { AppError } from '../../src/base/errors.ts';
import { readCandidate } from '../../src/nat/rtc/ice-candidate.ts';
import { loadRtc } from '../../src/nat/rtc/load-rtc.ts';
import type { NativeConnection } from '../../src/nat/rtc/native-rtc.ts';
import { rewriteDescription } from '../../src/nat/rtc/session-description.ts';

/** Gives the real library what is left of mutated descriptions and candidates; a crash ends the process. */
const milliseconds = Number(process.argv[2]);
using rtc = await loadRtc();

function describe(): Promise<string> {
  const connection = rtc.createConnection([]);
  return new Promise((resolve) => {
    connection.onStateChange((state) => state === 'closed' && connection.close());
    connection.onLocalDescription((sdp) => {
      resolve(sdp);
      connection.close();
    });
    const anchor = connection.createDataChannel('', { negotiated: true, id: 1_023 });
    anchor.onClosed(() => anchor.close());
  });
}

function pick<T>(values: readonly T[]): T | undefined {
  return values[randomInt(values.length)];
}

const JUNK = ['', ':', ' ', '\0', '-1', '99999999999999999999', '%n%s', 'a'.repeat(300), '::', 'active', '\u{1f600}'];

function mutate(text: string): string {
  let result = text;
  for (let count = randomInt(1, 5); count > 0; count -= 1) {
    const [at, length] = [randomInt(result.length + 1), randomInt(12)];
    const piece = pick([pick(JUNK), randomBytes(randomInt(8)).toString('latin1'), result.slice(0, at)]) ?? '';
    result = result.slice(0, at) + piece + result.slice(at + length);
  }
  return result;
}

function feed(connection: NativeConnection, description: string): boolean {
  try {
    connection.setRemoteDescription(rewriteDescription(description, 'offer'), 'offer');
  } catch (error) {
    if (error instanceof AppError) return false;
  }
  for (let count = 0; count < 40; count += 1) {
    const line = `a=candidate:1 1 UDP ${randomInt(2 ** 31)} 10.1.2.${randomInt(256)} ${randomInt(65_536)} typ host`;
    const text = readCandidate(randomInt(3) === 0 ? line : mutate(line))?.text;
    try {
      if (text !== undefined) connection.addRemoteCandidate(text, '0');
    } catch {
      // The library may refuse; it may not crash.
    }
  }
  return true;
}

const real = await describe();
const end = performance.now() + milliseconds;
let fed = 0;
let refused = 0;
while (performance.now() < end) {
  const connection = rtc.createConnection([]);
  const closed = new Promise<void>((resolve) => {
    connection.onStateChange((state) => state === 'closed' && resolve());
  });
  if (feed(connection, mutate(real))) fed += 1;
  else refused += 1;
  connection.close();
  await closed;
}
console.log(JSON.stringify({ fed, refused }));
