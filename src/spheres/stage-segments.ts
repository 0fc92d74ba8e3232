import type { Segment } from '../contract/swarm.ts';
import { SEGMENTS_TOGETHER } from '../contract/swarm.ts';

/** The part of the swarm process that takes them. */
interface Stage {
  stage(part: { list: string; segments: Segment[] }): Promise<unknown>;
}

let lists = 0;

/** What a call is to be given in place of `spec`: a long list of segments is told before, in parts. */
export async function stageSegments<Spec extends { readonly segments: Segment[] }>(
  calls: Stage,
  spec: Spec,
): Promise<Spec & { readonly staged?: string }> {
  const { segments } = spec;
  if (segments.length <= SEGMENTS_TOGETHER) return spec;
  const list = `${(lists += 1)}`;
  for (let from = 0; from < segments.length; from += SEGMENTS_TOGETHER) {
    await calls.stage({ list, segments: segments.slice(from, from + SEGMENTS_TOGETHER) });
  }
  return { ...spec, segments: [], staged: list };
}
