import { expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { toAppError } from './failure.ts';

const thrown = (fields: object): Error => Object.assign(new Error('said by the engine'), fields);

test('our own code is found in the error or in its data', () => {
  expect(toAppError(thrown({ code: 'wrong-password' })).code).toBe('wrong-password');
  expect(toAppError(thrown({ code: 'INTERNAL_SERVER_ERROR', data: { code: 'disk-full' } })).code).toBe('disk-full');
});

test('details come along when the engine gave some', () => {
  expect(toAppError(thrown({ code: 'disk-full', data: { details: { missing: 12 } } })).details).toEqual({
    missing: 12,
  });
});

test('the codes of the transport become ours', () => {
  expect(toAppError(thrown({ code: 'BAD_REQUEST' })).code).toBe('bad-input');
  expect(toAppError(thrown({ code: 'UNAUTHORIZED' })).code).toBe('not-allowed');
});

test('anything else is internal and keeps its cause', () => {
  const cause = new TypeError('surprise');
  expect(toAppError(cause)).toMatchObject({ code: 'internal', cause });
  expect(toAppError('text').code).toBe('internal');
  const own = new AppError('forged', 'x');
  expect(toAppError(own)).toBe(own);
});
