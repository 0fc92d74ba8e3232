import { Omemo } from '../omemo/omemo.ts';
import { isProvenByIdentity } from './protocol/certificate.ts';
import type { KnownEvent } from './protocol/event.ts';

/** Whether the OMEMO identity key that a certificate names signed it. */
export function isDeviceProven(event: KnownEvent<'device'>): boolean {
  return isProvenByIdentity(event.body, (...proof) => Omemo.verifyIdentitySignature(...proof));
}
