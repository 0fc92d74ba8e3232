// RFC 5929: Channel Bindings for TLS
// RFC 9266: Channel Bindings for TLS 1.3
import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ChannelBinding } from './scram.ts';

/** RFC 5929 §4.1: the hash that signed the certificate, and SHA-256 for those that are broken; none for other signatures. */
const HASH_OF_SIGNATURE: Readonly<Record<string, string>> = {
  // RSA with MD5, SHA-1 and the SHA-2 family (RFC 8017, appendix A.2.4).
  '1.2.840.113549.1.1.4': 'sha256',
  '1.2.840.113549.1.1.5': 'sha256',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  // ECDSA with SHA-1 and the SHA-2 family (RFC 5758 §3.2).
  '1.2.840.10045.4.1': 'sha256',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

/** What this connection can be bound to, strongest first: the connection itself, then the certificate of its server. */
export function channelBindings(socket: TLSSocket): readonly ChannelBinding[] {
  // Node.js 24 gives the parsed certificate once only.
  const { raw } = socket.getPeerCertificate();
  const certificate = raw === undefined ? undefined : new X509Certificate(raw);
  return [bindingOfConnection(socket), bindingOfCertificate(certificate)].filter((binding) => binding !== undefined);
}

/** RFC 9266 §4.2: the exporter with TLS 1.3, the older way (RFC 5929 §3) below. */
function bindingOfConnection(socket: TLSSocket): ChannelBinding | undefined {
  if (socket.getProtocol() === 'TLSv1.3') {
    const data = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    return { type: 'tls-exporter', data };
  }
  // The first Finished message of a connection that resumes no other one is the client's.
  const data = socket.isSessionReused() ? undefined : socket.getFinished();
  return data === undefined ? undefined : { type: 'tls-unique', data };
}

/** RFC 5929 §4: for servers behind something else that ends TLS, which knows no more of the connection. */
export function bindingOfCertificate(
  certificate: Pick<X509Certificate, 'raw' | 'signatureAlgorithmOid'> | undefined,
): ChannelBinding | undefined {
  const hash = HASH_OF_SIGNATURE[certificate?.signatureAlgorithmOid ?? ''];
  if (certificate === undefined || hash === undefined) return undefined;
  return { type: 'tls-server-end-point', data: createHash(hash).update(certificate.raw).digest() };
}
