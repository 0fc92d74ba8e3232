import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { bindingOfCertificate } from './channel-binding.ts';

const raw = Buffer.from('a certificate');
const bound = (signatureAlgorithmOid: string) => bindingOfCertificate({ raw, signatureAlgorithmOid });

test.each([
  ['RSA with MD5', '1.2.840.113549.1.1.4', 'sha256'],
  ['RSA with SHA-1', '1.2.840.113549.1.1.5', 'sha256'],
  ['RSA with SHA-256', '1.2.840.113549.1.1.11', 'sha256'],
  ['RSA with SHA-384', '1.2.840.113549.1.1.12', 'sha384'],
  ['ECDSA with SHA-1', '1.2.840.10045.4.1', 'sha256'],
  ['ECDSA with SHA-384', '1.2.840.10045.4.3.3', 'sha384'],
  ['ECDSA with SHA-512', '1.2.840.10045.4.3.4', 'sha512'],
])(
  'a certificate that was signed by %s is bound by its own hash, or by SHA-256 where that is broken',
  (_, oid, hash) => {
    expect(bound(oid)).toEqual({ type: 'tls-server-end-point', data: createHash(hash).update(raw).digest() });
  },
);

test('a signature without a hash of its own, and no certificate, bind nothing', () => {
  const ed25519 = '1.3.101.112';
  expect([bound(ed25519), bindingOfCertificate(undefined)]).toEqual([undefined, undefined]);
});
