import type { EphemeralBodies } from './protocol/ephemeral.ts';
import type { Tip } from './protocol/gaps.ts';

/** More than the branches that are told of one device. */
const TIPS_PER_MESSAGE = 32;

/**
 * What is told of what is here, in messages that say of which devices they tell everything. All branches of a device
 * stand in one of them, or whoever has the same would take part of them for less.
 */
export function headsMessages(tips: readonly Tip[]): EphemeralBodies['heads'][] {
  const parts: Tip[][] = [[]];
  for (const ofDevice of Map.groupBy(tips, ({ device }) => device).values()) {
    const last = parts.at(-1) ?? [];
    if (last.length > 0 && last.length + ofDevice.length > TIPS_PER_MESSAGE) parts.push(ofDevice);
    else last.push(...ofDevice);
  }
  return parts.map((heads, index) => {
    const after = parts[index - 1]?.at(-1)?.device;
    const until = index === parts.length - 1 ? undefined : heads.at(-1)?.device;
    return { heads, ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) };
  });
}
