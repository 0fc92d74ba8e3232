import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Files that run for a minute and more: begun last, they would run alone while the other workers have nothing left to do. */
const LONG = [
  /\/test\/integration\/engine-(chaos|edited|kill)\.test\.ts$/,
  /\/test\/(netlab\/matrix|e2e\/screens-access)\.test\.ts$/,
  /\/test\/netlab\/(port-mapping|rtc)\.test\.ts$/,
];

/** Test files in the usual order, behind the ones that take longest. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    return usual.toSorted((one, other) => placeOf(one.moduleId) - placeOf(other.moduleId));
  }
}

function placeOf(file: string): number {
  const place = LONG.findIndex((long) => long.test(file));
  return place === -1 ? LONG.length : place;
}
