import type { MemberView, SphereView } from '../../contract/views.ts';

/** What can be given: a sphere has one owner. */
export type GivenRole = Exclude<MemberView['role'], 'owner'>;

/** How a member can become the owner: the owner offers it, or organisers propose one of them when the owner is gone. */
export function ownerStep(sphere: Pick<SphereView, 'myRole'>, member: MemberView): 'offer' | 'propose' | null {
  if (member.state !== 'joined' || member.role === 'owner') return null;
  if (sphere.myRole === 'owner') return member.isMe ? null : 'offer';
  return sphere.myRole === 'admin' && member.role === 'admin' ? 'propose' : null;
}

/** What we may make of a member: nobody acts on somebody of their own rank, or makes others their equals. */
export function givenRoles(sphere: Pick<SphereView, 'myRole'>, member: MemberView): readonly GivenRole[] {
  const isHere = member.state === 'joined' || member.state === 'invited';
  if (member.isMe || !isHere || member.role === 'owner') return [];
  if (sphere.myRole !== 'owner' && (sphere.myRole !== 'admin' || member.role === 'admin')) return [];
  const roles: readonly GivenRole[] = sphere.myRole === 'owner' ? ['admin', 'member', 'viewer'] : ['member', 'viewer'];
  return roles.filter((role) => role !== member.role);
}
