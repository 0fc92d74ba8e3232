import type { RouteLocationRaw } from 'vue-router';
import type { SphereView } from '../../contract/views.ts';

/** What a person answers to a note. */
export type OwnerStep = { kind: 'accept' } | { kind: 'object' } | { kind: 'offer'; jid: null };

/** Something about who owns a sphere, with what can be done about it. */
export interface OwnerNote {
  readonly key: string;
  readonly text: string;
  readonly action?: { readonly label: string; readonly step: OwnerStep };
  readonly to?: RouteLocationRaw;
}

interface Words {
  readonly t: (key: string, params?: Record<string, unknown>) => string;
  readonly list: (names: readonly string[]) => string;
  readonly day: (atMs: number) => string;
}

/**
 * Where the sphere goes on, who is asked to own it, who is named to follow its owner, from whom it was taken, and on whose server
 * it is.
 */
export function ownerNotes(sphere: SphereView, words: Words): readonly OwnerNote[] {
  const taken = takenNotes(sphere, words);
  const owning = [...offerNotes(sphere, words), ...successionNotes(sphere, words), ...taken];
  return [...continuedNotes(sphere, words), ...owning, ...moverNotes(sphere, words)];
}

function myJid({ members }: SphereView): string | undefined {
  return members.find(({ isMe }) => isMe)?.jid;
}

function continuedNotes({ continued }: SphereView, { t }: Words): OwnerNote[] {
  if (continued === null) return [];
  const { sphereId, by } = continued;
  const text = t(sphereId === null ? 'owner.continuedElsewhere' : 'owner.continued', { person: by });
  const to = sphereId === null ? {} : { to: { name: 'sphere', params: { sphereId } } };
  return [{ key: 'continued', text, ...to }];
}

function moverNotes({ movedBy }: SphereView, { t }: Words): OwnerNote[] {
  if (movedBy === null) return [];
  return [{ key: 'mover', text: t('owner.movedBy', { person: movedBy.name, server: movedBy.server }) }];
}

function offerNotes(sphere: SphereView, { t }: Words): OwnerNote[] {
  const { offeredTo, members, myRole } = sphere;
  if (offeredTo === null) return [];
  if (offeredTo === myJid(sphere)) {
    const owner = members.find(({ role }) => role === 'owner')?.name ?? '';
    const action = { label: t('owner.accept'), step: { kind: 'accept' } as const };
    return [{ key: 'offer', text: t('owner.offeredToMe', { owner }), action }];
  }
  if (myRole !== 'owner') return [];
  const person = members.find(({ jid }) => jid === offeredTo)?.name ?? offeredTo;
  const action = { label: t('owner.keep'), step: { kind: 'offer', jid: null } as const };
  return [{ key: 'offer', text: t('owner.offered', { person }), action }];
}

/** Whoever owned it can say so also afterwards, and when they were removed. */
function takenNotes({ mayObject, members }: SphereView, { t }: Words): OwnerNote[] {
  if (!mayObject) return [];
  const person = members.find(({ role }) => role === 'owner')?.name ?? '';
  const action = { label: t('owner.object'), step: { kind: 'object' } as const };
  return [{ key: 'taken', text: t('owner.taken', { person }), action }];
}

function successionNotes(sphere: SphereView, { t, list, day }: Words): OwnerNote[] {
  return sphere.candidates.map(({ jid, name, voters, needed, atMs }) => {
    const person = jid === myJid(sphere) ? t('people.me') : name;
    const said = { person, voters: list(voters), count: voters.length, needed };
    const text = atMs === null ? t('owner.proposed', said) : t('owner.settled', { ...said, day: day(atMs) });
    const action = { label: t('owner.object'), step: { kind: 'object' } as const };
    return { key: jid, text, ...(sphere.myRole === 'owner' ? { action } : {}) };
  });
}
