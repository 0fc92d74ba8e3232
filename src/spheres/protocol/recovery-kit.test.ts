import { expect, test } from 'vitest';
import { parseBareJid } from '../../base/id.ts';
import { errorCode } from '../../base/errors.ts';
import type { PersonSigningKey } from './keys.ts';
import { signingKeyFromSeed } from './keys.ts';
import type { RecoveryKit } from './recovery-kit.ts';
import { decodeKit, encodeKit, kitCode, kitLines, MAX_KIT_BYTES, readKit } from './recovery-kit.ts';

const person: PersonSigningKey = signingKeyFromSeed(new Uint8Array(32).fill(7));
const kit: RecoveryKit = {
  jid: parseBareJid('ana@example.org'),
  server: null,
  person,
  recoveryKey: new Uint8Array(16).fill(9),
};

const shown = (read: RecoveryKit) => ({ ...read, person: read.person.id });

test('a kit comes back from paper, from a camera and with a server of its own', () => {
  for (const one of [kit, { ...kit, server: 'xmpp.example.org:5222' }]) {
    expect(shown(readKit(kitLines(one).join('\n')))).toEqual(shown(one));
    expect(shown(readKit(kitCode(one)))).toEqual(shown(one));
  }
  expect(encodeKit(kit).length).toBeLessThan(MAX_KIT_BYTES / 3);
  expect(kitLines(kit)).toHaveLength(5);
});

test('a kit with any byte changed, cut off or of another version is refused', () => {
  const bytes = encodeKit(kit);
  const codeOf = (changed: Uint8Array): string => {
    try {
      decodeKit(changed);
      return 'read';
    } catch (error) {
      return errorCode(error);
    }
  };
  for (let at = 0; at < bytes.length; at += 1) {
    expect(codeOf(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)))).toBe('kit-invalid');
    expect(codeOf(bytes.subarray(0, at))).toBe('kit-invalid');
  }
});

test('what was typed wrongly names its line', () => {
  const lines = kitLines(kit);
  const wrong = lines.with(
    2,
    (lines[2] ?? '').replace(/^./, (sign) => (sign === 'A' ? 'B' : 'A')),
  );
  expect(() => readKit(wrong.join(' '))).toThrow(
    expect.objectContaining({ code: 'kit-invalid', details: { line: 2 } }),
  );
  expect(() => readKit('')).toThrow(expect.objectContaining({ code: 'kit-invalid' }));
});
