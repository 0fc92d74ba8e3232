import type { SphereView } from '../../contract/views.ts';

/** Whether one can write and share here, be it that it goes out later. */
export function isActive({ state }: SphereView): boolean {
  return state === 'joined' || state === 'offline' || state === 'refused';
}
