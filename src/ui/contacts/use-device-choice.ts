import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';
import { useTask } from '../use-task.ts';
import { parseBareJid } from '../../base/id.ts';

/** Says of a device that nobody vouched for whether it may read what is said. */
export function useDeviceChoice() {
  const engine = useEngine();
  const notify = useNotify();
  const task = useTask();
  async function choose(address: string, deviceId: number, choice: 'let-in' | 'left-out'): Promise<void> {
    const input = { jid: parseBareJid(address), deviceId, choice };
    if (await task.run(() => engine.call((client) => client.people.chooseDevice(input)))) return;
    notify.failure(task.failure.value);
  }
  return { busy: task.busy, choose };
}
