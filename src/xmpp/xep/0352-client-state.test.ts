import { expect, test } from 'vitest';
import { clientState } from './0352-client-state.ts';

test('either state is one empty element of the specification', () => {
  expect([clientState('active'), clientState('inactive')].map(String)).toEqual([
    '<active xmlns="urn:xmpp:csi:0"/>',
    '<inactive xmlns="urn:xmpp:csi:0"/>',
  ]);
});
