import { computed, nextTick, ref, shallowRef, type Ref } from 'vue';
import type { PersonId } from '../../base/id.ts';
import type { MemberView } from '../../contract/views.ts';
import { membersLike, mentionedIn, typedMention, type Typed } from './mentions.ts';

/** On a small screen more would cover what was said. */
const MOST_OFFERED = 6;

/** Names that are offered while one is typed after an @. */
export function useNaming(
  members: () => readonly MemberView[],
  box: Readonly<Ref<{ textareaRef: HTMLTextAreaElement | null } | null>>,
) {
  const typed = shallowRef<Typed | null>(null);
  const active = ref(0);
  const others = computed(() =>
    members().filter(({ isMe, state, person }) => !isMe && state === 'joined' && person !== null),
  );
  const offered = computed(() =>
    typed.value === null ? [] : membersLike(others.value, typed.value.word).slice(0, MOST_OFFERED),
  );

  function look(event: Event): void {
    const area = box.value?.textareaRef;
    const isMove = event instanceof KeyboardEvent && /^(Arrow|Escape|Enter|Tab)/.test(event.key);
    if (area === null || area === undefined || isMove) return;
    const now = typedMention(area.value, area.selectionStart);
    if (now?.word !== typed.value?.word) active.value = 0;
    typed.value = now;
  }

  const close = (): void => {
    typed.value = null;
  };

  /** Puts the name in place of what was typed of it; `put` takes the new text. */
  function choose({ name }: MemberView, put: (text: string) => void): void {
    const area = box.value?.textareaRef;
    const at = typed.value;
    if (area === null || area === undefined || at === null) return;
    const before = `${area.value.slice(0, at.from)}@${name} `;
    put(before + area.value.slice(at.from + 1 + at.word.length));
    close();
    void nextTick(() => {
      area.focus();
      area.setSelectionRange(before.length, before.length);
    });
  }

  /** Whether the key belongs to the list of names. */
  function takeKey(event: KeyboardEvent, put: (text: string) => void): boolean {
    const count = offered.value.length;
    const chosen = offered.value[active.value];
    if (count === 0 || chosen === undefined || event.isComposing) return false;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      active.value = (active.value + (event.key === 'ArrowDown' ? 1 : -1) + count) % count;
    } else if (event.key === 'Enter' || event.key === 'Tab') choose(chosen, put);
    else if (event.key === 'Escape') close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  const spokenTo = (text: string): PersonId[] => mentionedIn(text, others.value).flatMap(({ person }) => person ?? []);

  return { offered, active, look, close, choose, takeKey, spokenTo };
}
