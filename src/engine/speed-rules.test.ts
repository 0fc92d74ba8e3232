import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { LimitsView } from '../contract/views.ts';
import type { SpeedSettings } from './speed-rules.ts';
import { limitsAt, SpeedRules } from './speed-rules.ts';

/** A moment of a week in March 2026 that begins with Sunday the first, by the local clock. */
const at = (day: number, hour: number, minute = 0): number => new Date(2026, 2, 1 + day, hour, minute).getTime();

function settings(more: Partial<SpeedSettings['quiet']['schedule']> = {}, on = false): SpeedSettings {
  const schedule = { on: true, days: [1, 2, 3, 4, 5], fromMinute: 8 * 60, toMinute: 18 * 60, ...more };
  return { limits: { up: 0, down: 9 }, quiet: { on, limits: { up: 5, down: 20 }, schedule } };
}

const FREE: LimitsView = { up: 0, down: 9 };
/** Never more than the ordinary limit, and no limit is more than any. */
const QUIET: LimitsView = { up: 5, down: 9 };

test('the slower limits hold at the hours of the schedule and at no others', () => {
  const rules = settings();
  expect(limitsAt(rules, at(1, 7, 59))).toEqual(FREE);
  expect(limitsAt(rules, at(1, 8))).toEqual(QUIET);
  expect(limitsAt(rules, at(5, 17, 59))).toEqual(QUIET);
  expect(limitsAt(rules, at(5, 18))).toEqual(FREE);
  expect(limitsAt(rules, at(6, 12))).toEqual(FREE);
});

test('a schedule over midnight goes on in the morning after its last day', () => {
  const rules = settings({ days: [5], fromMinute: 22 * 60, toMinute: 6 * 60 });
  expect(limitsAt(rules, at(5, 5))).toEqual(FREE);
  expect(limitsAt(rules, at(5, 23))).toEqual(QUIET);
  expect(limitsAt(rules, at(6, 5, 59))).toEqual(QUIET);
  expect(limitsAt(rules, at(6, 6))).toEqual(FREE);
  expect(limitsAt(rules, at(6, 23))).toEqual(FREE);
});

test('switched on by hand the slower limits hold at any hour', () => {
  expect(limitsAt(settings({ on: false }, true), at(0, 3))).toEqual(QUIET);
  expect(limitsAt(settings({ on: false }), at(1, 12))).toEqual(FREE);
});

test('what the time and the person change is applied by itself, each once', async () => {
  const clock = new VirtualClock(at(1, 7, 59));
  const applied: LimitsView[] = [];
  const apply = async (limits: LimitsView): Promise<void> => void applied.push(limits);
  const rules = new SpeedRules({ settings: settings(), apply, clock });
  const end = new AbortController();
  const running = rules.run(end.signal);
  await clock.advance(30_000);
  expect(applied).toEqual([FREE]);
  await clock.advance(60_000);
  expect(applied).toEqual([FREE, QUIET]);
  await rules.set({ ...settings(), limits: { up: 3, down: 3 } });
  expect(rules.inForce).toEqual({ up: 3, down: 3 });
  expect(applied).toHaveLength(3);
  end.abort(new Error('over'));
  await expect(running).rejects.toThrow('over');
});
