import { AppError } from '../base/errors.ts';
import type { Segment } from '../contract/swarm.ts';

/** A call that may name a list. */
export interface Staged {
  readonly segments: Segment[];
  readonly staged?: string | undefined;
}

/** Long lists of segments, told in parts before the call that they belong to. */
export class StagedSegments {
  readonly #lists = new Map<string, Segment[]>();

  add(list: string, segments: readonly Segment[]): void {
    const known = this.#lists.get(list) ?? [];
    this.#lists.set(list, known);
    for (const segment of segments) known.push(segment);
  }

  /** What the call means; each list is for one call. */
  complete<Spec extends Staged>(spec: Spec): Spec {
    const { staged, segments } = spec;
    if (staged === undefined) return spec;
    const known = this.#lists.get(staged);
    if (known === undefined) throw new AppError('bad-input', 'a list of segments that was not told', { staged });
    this.#lists.delete(staged);
    return { ...spec, segments: [...known, ...segments], staged: undefined };
  }
}
