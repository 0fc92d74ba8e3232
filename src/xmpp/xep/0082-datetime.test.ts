import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDateTime } from './0082-datetime.ts';

test('a date and time reads as the moment it names, whatever its zone', () => {
  expect(parseDateTime('1969-07-21T02:56:15Z')).toBe(Date.UTC(1969, 6, 21, 2, 56, 15));
  expect(parseDateTime('1969-07-20T21:56:15-05:00')).toBe(Date.UTC(1969, 6, 21, 2, 56, 15));
  expect(parseDateTime('2024-02-29T23:59:59.123456+01:00')).toBe(Date.UTC(2024, 1, 29, 22, 59, 59, 123));
});

test('every moment that JavaScript writes is read back', () => {
  const moments = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(moments, (moment) => {
      expect(parseDateTime(moment.toISOString())).toBe(moment.getTime());
    }),
  );
});

test.each([undefined, '', '2024-01-01', '2024-13-01T00:00:00Z', '2024-01-01T24:00:00Z', '2024-01-01 00:00:00Z'])(
  '%s is no date and time',
  (text) => {
    expect(parseDateTime(text)).toBeUndefined();
  },
);
