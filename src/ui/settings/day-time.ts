/** Minutes since midnight as the time fields of a page write them, "08:05". */
export function toTimeText(minutes: number): string {
  return [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');
}

/** Null when it is no time of day. */
export function fromTimeText(text: string): number | null {
  const [, hours = '', minutes = ''] = /^([01]\d|2[0-3]):([0-5]\d)/.exec(text) ?? [];
  return hours === '' ? null : Number(hours) * 60 + Number(minutes);
}

export type DayChoice = 'every' | 'work' | 'weekend';

/** Days of the week that a choice stands for, 0 = Sunday. */
export const DAY_CHOICES: Readonly<Record<DayChoice, readonly number[]>> = {
  every: [0, 1, 2, 3, 4, 5, 6],
  work: [1, 2, 3, 4, 5],
  weekend: [0, 6],
};

/** The choice that comes nearest to a set of days, which the command line may have put together freely. */
export function dayChoice(days: readonly number[]): DayChoice {
  const atWeekend = days.some((day) => DAY_CHOICES.weekend.includes(day));
  if (!atWeekend) return 'work';
  return days.some((day) => DAY_CHOICES.work.includes(day)) ? 'every' : 'weekend';
}
