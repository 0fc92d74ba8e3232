/** Sizes, rates and times in the person's language. All sizes are bytes, all times milliseconds. */

/** The language as the person's region writes it: days and hours differ within one language. */
export function regionalLocale(language: string, languages: readonly string[]): string {
  return languages.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

function scaled(value: number): { value: number; unit: (typeof UNITS)[number] } {
  let rest = Math.max(0, value);
  let index = 0;
  while (rest >= 999.5 && index < UNITS.length - 1) {
    rest /= 1000;
    index += 1;
  }
  return { value: rest, unit: UNITS[index] ?? 'byte' };
}

function digits(value: number, unit: string): number {
  return unit === 'byte' || unit === 'kilobyte' || value >= 99.95 ? 0 : 1;
}

/** "1.2 GB"; decimal units, as shops and file managers count. */
export function formatBytes(bytes: number, locale: string): string {
  const { value, unit } = scaled(bytes);
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: unit === 'byte' ? 'long' : 'short',
    maximumFractionDigits: digits(value, unit),
  }).format(value);
}

/** "2.1 MB/s". */
export function formatRate(bytesPerSecond: number, locale: string): string {
  const { value, unit } = scaled(bytesPerSecond);
  const shown = unit === 'byte' ? { value: value / 1000, unit: 'kilobyte' } : { value, unit };
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: `${shown.unit}-per-second`,
    maximumFractionDigits: digits(shown.value, shown.unit),
  }).format(shown.value);
}

/** "4 %" of a whole; never 100 before it is whole. */
export function formatShare(part: number, whole: number, locale: string): string {
  const share = whole <= 0 ? 1 : Math.min(1, part / whole);
  const shown = part < whole ? Math.min(0.99, share) : 1;
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(shown);
}

/** "1:02:45" or "3:07": the length of a film. */
export function formatClock(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = String(total % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/** "45 sec", "6 min", "2 hr, 5 min": coarse, because an estimate is. */
export function formatSpan(ms: number, locale: string): string {
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return unit(seconds < 10 ? seconds : Math.round(seconds / 5) * 5, 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, 'minute');
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours >= 24) return unit(Math.round(hours / 24), 'day');
  return rest === 0 || hours >= 10 ? unit(hours, 'hour') : `${unit(hours, 'hour')} ${unit(rest, 'minute')}`;
}

/** Milliseconds until `bytes` more have arrived, null when nothing moves. */
export function timeLeftMs(bytes: number, bytesPerSecond: number): number | null {
  return bytesPerSecond <= 0 ? null : (Math.max(0, bytes) / bytesPerSecond) * 1000;
}

const startOfDay = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0);

/** Whole days from `ms` to `nowMs` by the calendar: 0 today, 1 yesterday. */
export function daysAgo(ms: number, nowMs: number): number {
  return Math.round((startOfDay(nowMs) - startOfDay(ms)) / 86_400_000);
}

/** "Today", "Yesterday", "Tuesday", "12 March", "12 March 2024". */
export function formatDay(ms: number, nowMs: number, locale: string): string {
  const ago = daysAgo(ms, nowMs);
  if (ago === 0 || ago === 1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-ago, 'day');
    return word.charAt(0).toLocaleUpperCase(locale) + word.slice(1);
  }
  if (ago > 1 && ago < 7) {
    const name = new Intl.DateTimeFormat(locale, { weekday: 'long' }).format(ms);
    return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
  }
  const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(ms);
}

/** "14:05". */
export function formatTime(ms: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }).format(ms);
}

/** "5 min. ago", "Yesterday", "12 March": when something last happened. */
export function formatAgo(ms: number, nowMs: number, locale: string): string {
  const minutes = Math.floor((nowMs - ms) / 60_000);
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  if (minutes < 1) return relative.format(0, 'second');
  if (minutes < 60) return relative.format(-minutes, 'minute');
  if (daysAgo(ms, nowMs) === 0) return relative.format(-Math.floor(minutes / 60), 'hour');
  return formatDay(ms, nowMs, locale);
}
