import { ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { differingDevices } from '../../base/differing-devices.ts';
import { readXmppUri } from '../../base/xmpp-uri.ts';
import type { ContactView, FingerprintView, OwnFingerprintView } from '../../contract/people.ts';
import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';
import { useTask } from '../use-task.ts';

interface Shown {
  readonly own: readonly OwnFingerprintView[];
  readonly devices: readonly FingerprintView[];
  readonly code: string;
}

/** Comparing the devices of somebody with what their own program shows, one by one or by its code. */
export function useComparing(person: () => ContactView) {
  const { t } = useI18n();
  const engine = useEngine();
  const notify = useNotify();
  const task = useTask();
  const shown = ref<Shown | null>(null);
  /** Why what was read says nothing about this person. */
  const problem = ref<string | null>(null);
  /** What follows from a device that is not theirs; a notice would lie on the rows it is about. */
  const warning = ref<{ readonly deviceId: number; readonly text: string } | null>(null);

  async function load(): Promise<void> {
    const { jid } = person();
    shown.value = await engine.call((client) => client.people.fingerprints({ jid }));
  }

  function open(): Promise<boolean> {
    shown.value = null;
    problem.value = null;
    warning.value = null;
    return task.run(load);
  }

  function say(devices: readonly { readonly deviceId: number; readonly fingerprint: string }[], isSame: boolean) {
    const input = { jid: person().jid, devices: [...devices], isSame };
    warning.value = null;
    return task.run(async () => {
      await engine.call((client) => client.people.compare(input));
      await load();
    });
  }

  async function answer({ deviceId, fingerprint, standing }: FingerprintView, isSame: boolean): Promise<void> {
    if (fingerprint === null || !(await say([{ deviceId, fingerprint }], isSame))) return;
    const about = { person: person().name };
    if (isSame) return;
    const code = standing === 'compared' ? 'takenBack' : 'deviceDiffers';
    const text = `${t(`contacts.${code}`, about)}. ${t(`contacts.${code}Text`, about)}`;
    warning.value = { deviceId, text };
  }

  /** The code on their screen names all of their devices. Whether it is theirs. */
  async function take(text: string | null): Promise<boolean> {
    const { jid, name } = person();
    const code = text === null ? undefined : readXmppUri(text);
    problem.value = null;
    if (code === undefined || code.devices.length === 0) problem.value = t('contacts.codeWithoutDevices');
    else if (code.jid !== jid) problem.value = t('people.codeOfOther', { person: code.jid, expected: name });
    if (code === undefined || problem.value !== null) return false;
    const differing = differingDevices(shown.value?.devices ?? [], code.devices);
    if (!(await say(code.devices, true))) return false;
    if (differing.length > 0) notify.warning(t('contacts.codeDiffered'), t('contacts.codeDifferedText'));
    else notify.success(t('people.verified', { person: name }), t('contacts.comparedText'));
    return true;
  }

  return { shown, problem, warning, task, open, answer, take };
}
