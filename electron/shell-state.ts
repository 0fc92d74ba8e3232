import { readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod';

const boundsSchema = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().min(200).max(20_000),
  height: z.number().int().min(200).max(20_000),
});
export type Bounds = z.infer<typeof boundsSchema>;

const stateSchema = z.object({
  bounds: boundsSchema.nullable().default(null),
  maximized: z.boolean().default(false),
  /** The person was told that closing the window does not end the program. */
  toldAboutClosing: z.boolean().default(false),
});
export type ShellState = z.infer<typeof stateSchema>;

/** What the window remembers from one start to the next. Losing it costs nothing but a size. */
export class ShellStateFile {
  readonly #file: string;
  #state: ShellState;

  constructor(file: string) {
    this.#file = file;
    this.#state = readState(file);
  }

  get state(): ShellState {
    return this.#state;
  }

  update(change: Partial<ShellState>): void {
    this.#state = { ...this.#state, ...change };
    try {
      writeFileSync(this.#file, JSON.stringify(this.#state));
    } catch {
      // A full disk must not keep the window from closing.
    }
  }
}

function readState(file: string): ShellState {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // The first start, or a damaged file.
    return stateSchema.parse({});
  }
}

/** The remembered place when enough of its title bar lies on a screen, so that the window can be grabbed. */
export function visibleBounds(bounds: Bounds | null, screens: readonly Bounds[]): Bounds | null {
  if (bounds === null) return null;
  const isReachable = screens.some(
    (screen) =>
      bounds.x + bounds.width > screen.x + 100 &&
      bounds.x < screen.x + screen.width - 100 &&
      bounds.y >= screen.y - 10 &&
      bounds.y < screen.y + screen.height - 50,
  );
  return isReachable ? bounds : null;
}
