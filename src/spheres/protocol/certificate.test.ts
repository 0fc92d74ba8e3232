import { expect, test } from 'vitest';
import { createPerson, verifyIdentity } from '../../../test/fixtures/protocol/people.ts';
import { certifyDevice, isCertifiedByPerson, isProvenByIdentity } from './certificate.ts';

const ben = createPerson('ben');
const eve = createPerson('eve');

test('a certificate holds under the person key and the OMEMO identity key', () => {
  expect(isCertifiedByPerson(ben.certificate)).toBe(true);
  expect(isProvenByIdentity(ben.certificate, verifyIdentity)).toBe(true);
});

test.each(['person', 'device', 'jid', 'omemoDeviceId', 'omemoIdentityKey'] as const)(
  'a certificate with a changed %s holds under neither key',
  (field) => {
    const changed = { ...ben.certificate, [field]: eve.certificate[field] };
    expect(isCertifiedByPerson(changed)).toBe(false);
    expect(isProvenByIdentity(changed, verifyIdentity)).toBe(false);
  },
);

test('signatures of one kind do not stand in for the other', () => {
  const { personSignature, identitySignature } = ben.certificate;
  const swapped = { ...ben.certificate, personSignature: identitySignature ?? '', identitySignature: personSignature };
  expect(isCertifiedByPerson(swapped)).toBe(false);
  expect(isProvenByIdentity(swapped, verifyIdentity)).toBe(false);
});

test('a device without an account needs the person key only', () => {
  const body = certifyDevice({ person: ben.person, device: ben.author.device.id, vouched: [] }, null);
  expect(body).toMatchObject({ jid: null, omemoDeviceId: null, omemoIdentityKey: null, identitySignature: null });
  expect(isCertifiedByPerson(body)).toBe(true);
  expect(isProvenByIdentity(body, () => false)).toBe(true);
});
