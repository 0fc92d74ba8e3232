import { readonly, ref, type Ref } from 'vue';

export type PersonView = 'talk' | 'shared';

const shown = ref<{ readonly jid: string; readonly view: PersonView }>({ jid: '', view: 'talk' });

/** Which side of a person is on the screen; kept while something they shared is looked at. */
export function usePersonView(): {
  readonly shown: Readonly<Ref<typeof shown.value>>;
  show(jid: string, view: PersonView): void;
} {
  return {
    shown: readonly(shown),
    show: (jid, view) => {
      shown.value = { jid, view };
    },
  };
}
