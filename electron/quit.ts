interface QuitDeps {
  /** Names of items that nobody else is known to have. */
  readonly onlyCopies: () => Promise<readonly string[]>;
  /** Tells the person what quitting means; true = quit all the same. */
  readonly confirm: (names: readonly string[]) => Promise<boolean>;
  readonly stopEngine: () => Promise<void>;
  /** Ends the application; nothing runs any more. */
  readonly leave: () => void;
}

type State = 'running' | 'asking' | 'leaving' | 'left';

/** The way out: it ends the engine first, and warns when that would make something unreachable for the others. */
export class Quit {
  readonly #deps: QuitDeps;
  #state: State = 'running';

  constructor(deps: QuitDeps) {
    this.#deps = deps;
  }

  /** Whether the application may end at once because everything has been ended. */
  get hasLeft(): boolean {
    return this.#state === 'left';
  }

  /** The person wants to quit. */
  async request(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'asking';
    const names = await this.#deps.onlyCopies();
    // The system may tell us to end at any time, also while the question stands there.
    if (this.#state !== 'asking') return;
    const mayLeave = names.length === 0 || (await this.#deps.confirm(names));
    if (this.#state !== 'asking') return;
    if (mayLeave) await this.#leave();
    else this.#state = 'running';
  }

  /** The system wants us gone: there is nobody to ask. */
  async now(): Promise<void> {
    if (this.#state === 'leaving' || this.#state === 'left') return;
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.#state = 'leaving';
    await this.#deps.stopEngine();
    this.#state = 'left';
    this.#deps.leave();
  }
}
