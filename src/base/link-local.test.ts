import { expect, test } from 'vitest';
import { isLinkLocal } from './link-local.ts';

test.each(['fe80::1', 'FEBF::1', 'fe90::', '169.254.1.2'])('%s means another machine on every link', (address) => {
  expect(isLinkLocal(address)).toBe(true);
});

test.each(['fec0::1', 'fe8::1', '2001:db8::fe80', '169.25.4.1', '192.168.1.2', ''])('%j does not', (address) => {
  expect(isLinkLocal(address)).toBe(false);
});
