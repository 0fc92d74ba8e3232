import type { MessageView } from '../../contract/views.ts';
import type { EngineClient } from '../connection/engine-client.ts';

/** All that a line says: of a long one the page has the beginning. */
export async function wholeText(
  { messages }: EngineClient,
  { id, sphereId, text, more }: MessageView,
): Promise<string> {
  return more === undefined ? text : (await messages.text({ sphereId, messageId: id })).text;
}
