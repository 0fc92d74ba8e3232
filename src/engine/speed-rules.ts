import type { Clock } from '../base/clock.ts';
import type { QuietSchedule, QuietSettings } from '../contract/settings.ts';
import type { LimitsView } from '../contract/views.ts';

export interface SpeedSettings {
  readonly limits: LimitsView;
  readonly quiet: QuietSettings;
}

interface SpeedRulesDeps {
  readonly settings: SpeedSettings;
  readonly apply: (limits: LimitsView) => Promise<void>;
  readonly clock: Clock;
}

/** A schedule begins and ends within this time of its minute, also after sleep or when the clock was set. */
const LOOK_MS = 15_000;

/** Keeps the limits in force that settings and time of day ask for. */
export class SpeedRules {
  readonly #deps: SpeedRulesDeps;
  #settings: SpeedSettings;
  #inForce: LimitsView;

  constructor(deps: SpeedRulesDeps) {
    this.#deps = deps;
    this.#settings = deps.settings;
    this.#inForce = limitsAt(deps.settings, deps.clock.now());
  }

  get inForce(): LimitsView {
    return this.#inForce;
  }

  async set(settings: SpeedSettings): Promise<void> {
    this.#settings = settings;
    await this.#look();
  }

  /** Applies what holds now, and every change the time brings, until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#deps.apply(this.#inForce);
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LOOK_MS, signal);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { clock, apply } = this.#deps;
    const limits = limitsAt(this.#settings, clock.now());
    if (limits.up === this.#inForce.up && limits.down === this.#inForce.down) return;
    this.#inForce = limits;
    await apply(limits);
  }
}

/** The limits at a moment, by this computer's own time zone. */
export function limitsAt({ limits, quiet }: SpeedSettings, atMs: number): LimitsView {
  if (!quiet.on && !isScheduled(quiet.schedule, new Date(atMs))) return limits;
  return { up: slower(limits.up, quiet.limits.up), down: slower(limits.down, quiet.limits.down) };
}

/** 0 is no limit: what is meant to be slower never lets more through. */
function slower(a: number, b: number): number {
  if (a === 0 || b === 0) return Math.max(a, b);
  return Math.min(a, b);
}

function isScheduled({ on, days, fromMinute, toMinute }: QuietSchedule, at: Date): boolean {
  if (!on) return false;
  const minute = at.getHours() * 60 + at.getMinutes();
  const overnight = toMinute <= fromMinute;
  const began = days.includes(at.getDay()) && minute >= fromMinute && (overnight || minute < toMinute);
  const goesOn = overnight && days.includes((at.getDay() + 6) % 7) && minute < toMinute;
  return began || goesOn;
}
