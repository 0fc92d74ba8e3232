import { expect, test } from 'vitest';
import { fakeMember } from '../../../test/fixtures/fake-views.ts';
import { givenRoles, ownerStep } from './given-roles.ts';

const member = (role: 'owner' | 'admin' | 'member' | 'viewer', more = {}) =>
  fakeMember('ben@example.org', 'Ben', { role, state: 'joined', ...more });

test('the owner makes of everybody else what is not theirs already', () => {
  expect(givenRoles({ myRole: 'owner' }, member('member'))).toEqual(['admin', 'viewer']);
  expect(givenRoles({ myRole: 'owner' }, member('admin'))).toEqual(['member', 'viewer']);
  expect(givenRoles({ myRole: 'owner' }, member('owner', { isMe: true }))).toEqual([]);
});

test('an organiser makes no organisers and touches none; others make nothing', () => {
  expect(givenRoles({ myRole: 'admin' }, member('member'))).toEqual(['viewer']);
  expect(givenRoles({ myRole: 'admin' }, member('admin'))).toEqual([]);
  expect(givenRoles({ myRole: 'admin' }, member('owner'))).toEqual([]);
  expect(givenRoles({ myRole: 'member' }, member('viewer'))).toEqual([]);
});

test('an owner offers the sphere to whoever has joined; organisers propose organisers, themselves too', () => {
  expect(ownerStep({ myRole: 'owner' }, member('viewer'))).toBe('offer');
  expect(ownerStep({ myRole: 'owner' }, member('member', { state: 'invited' }))).toBe(null);
  expect(ownerStep({ myRole: 'admin' }, member('admin', { isMe: true }))).toBe('propose');
  expect(ownerStep({ myRole: 'admin' }, member('member'))).toBe(null);
  expect(ownerStep({ myRole: 'member' }, member('admin'))).toBe(null);
});

test('whoever only the server lists gets no role', () => {
  expect(givenRoles({ myRole: 'owner' }, member('member', { state: 'waiting' }))).toEqual([]);
});
