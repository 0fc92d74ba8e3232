import type { PersonId } from '../../base/id.ts';
import type { MessageView, SphereView } from '../../contract/views.ts';

/** Whose number was compared, in whichever sphere. */
export function verifiedPeople(spheres: Iterable<SphereView>): ReadonlySet<PersonId> {
  const members = Array.from(spheres).flatMap((sphere) => sphere.members);
  return new Set(members.flatMap(({ person, identity }) => (person !== null && identity === 'verified' ? person : [])));
}

/** A server can put words into anybody's mouth: only what was said under our key, or one that was compared, opens pages. */
export function opensLinks(
  { mine, person }: Pick<MessageView, 'mine' | 'person'>,
  verified: ReadonlySet<PersonId>,
): boolean {
  return person !== null && (mine || verified.has(person));
}
