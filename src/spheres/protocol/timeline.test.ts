import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import type { TimelineEntry } from './sphere-state.ts';
import { Timeline } from './timeline.ts';

const entry = (number: number): TimelineEntry => ({ kind: 'message', id: `${number}` }) as unknown as TimelineEntry;

test('pictures stay what they were, whatever is pushed and popped after them', () => {
  const steps = fc.array(
    fc.oneof(fc.constant('picture'), fc.constant('push'), fc.constant('pop'), fc.constant('many')),
    {
      maxLength: 60,
    },
  );
  const property = fc.property(steps, (kinds) => {
    const timeline = new Timeline();
    const plain: TimelineEntry[] = [];
    const pictures: (readonly [() => readonly TimelineEntry[], TimelineEntry[]])[] = [];
    let number = 0;
    const push = (): void => {
      number += 1;
      timeline.push(entry(number));
      plain.push(entry(number));
    };
    for (const kind of kinds) {
      if (kind === 'push') push();
      if (kind === 'many') for (let count = 0; count < 100; count += 1) push();
      if (kind === 'picture') pictures.push([timeline.picture(), [...plain]]);
      if (kind === 'pop' && plain.length > 0) {
        timeline.pop();
        plain.pop();
      }
      expect(timeline.last).toEqual(plain.at(-1));
    }
    for (const [picture, then] of pictures) expect(picture()).toEqual(then);
    expect(timeline.picture()()).toEqual(plain);
  });
  fc.assert(property, { numRuns: fuzzRuns(300) });
});
