import type { FoundLineView } from '../../contract/search.ts';

/** What was found in one conversation, newest first. */
export interface FoundGroup {
  readonly id: string;
  readonly name: string;
  readonly kind: FoundLineView['place']['kind'];
  readonly lines: readonly FoundLineView[];
}

/** A stretch of a line: found, or what stands around it. */
export interface FoundPart {
  readonly text: string;
  readonly found: boolean;
}

/** `lines` newest first; so are the groups by what is newest in them. */
export function foundGroups(lines: readonly FoundLineView[]): FoundGroup[] {
  const groups = new Map<string, FoundGroup & { readonly lines: FoundLineView[] }>();
  for (const line of lines) {
    const known = groups.get(line.sphereId);
    if (known !== undefined) known.lines.push(line);
    else groups.set(line.sphereId, { id: line.sphereId, name: line.place.name, kind: line.place.kind, lines: [line] });
  }
  return Array.from(groups.values());
}

export function foundParts({ text, marks }: Pick<FoundLineView, 'text' | 'marks'>): FoundPart[] {
  const parts: FoundPart[] = [];
  let at = 0;
  for (const { from, to } of marks) {
    if (from > at) parts.push({ text: text.slice(at, from), found: false });
    parts.push({ text: text.slice(from, to), found: true });
    at = to;
  }
  if (at < text.length) parts.push({ text: text.slice(at), found: false });
  return parts;
}
