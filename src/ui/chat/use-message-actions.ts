import type { MessageView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';
import { useNotify } from '../use-notify.ts';
import { useTask } from '../use-task.ts';
import { wholeText } from './whole-text.ts';

/** What one can do with a line; whatever fails is told. */
export function useMessageActions() {
  const engine = useEngine();
  const notify = useNotify();
  const task = useTask();

  async function run(work: () => Promise<unknown>): Promise<void> {
    if (!(await task.run(work))) notify.failure(task.failure.value);
  }

  return {
    toggleSign: ({ sphereId, id, reactions }: MessageView, sign: string) => {
      const mine = reactions.filter((reaction) => reaction.mine).map((reaction) => reaction.sign);
      const signs = mine.includes(sign) ? mine.filter((known) => known !== sign) : [...mine, sign].slice(-8);
      return run(() => engine.call((client) => client.messages.react({ sphereId, messageId: id, signs })));
    },
    retract: ({ sphereId, id }: MessageView, isUndone: boolean) =>
      run(() => engine.call((client) => client.messages.retract({ sphereId, messageId: id, isUndone }))),
    copy: (message: MessageView) =>
      run(async () => navigator.clipboard.writeText(await engine.call((client) => wholeText(client, message)))),
  };
}
