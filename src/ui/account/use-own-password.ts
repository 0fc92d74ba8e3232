import { computed, ref, watch, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { useTask } from '../use-task.ts';

/** A dialog that changes the account itself, and asks for the password of now first. */
export function useOwnPassword(open: Readonly<Ref<boolean>>) {
  const { t } = useI18n();
  const task = useTask();
  const current = ref('');
  const tried = ref(false);
  const code = computed(() => task.failure.value?.code ?? null);

  const problem = computed(() => {
    if (tried.value && current.value === '') return t('signIn.passwordProblem');
    return code.value === 'wrong-password' && t('account.currentPasswordWrong');
  });

  watch(open, () => {
    current.value = '';
    tried.value = false;
    task.failure.value = null;
  });

  return {
    current,
    problem,
    tried,
    busy: task.busy,
    /** What kept it from being done, apart from what the field says already. */
    failure: computed(() => (code.value === 'wrong-password' ? null : code.value)),
    /** Does it when a password was typed and `isReady`; true when it is done. */
    async submit(work: () => Promise<unknown>, isReady = true): Promise<boolean> {
      tried.value = true;
      return current.value !== '' && isReady && (await task.run(work));
    },
  };
}
