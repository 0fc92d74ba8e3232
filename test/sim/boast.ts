import type { SimPerson } from './sim-world.ts';

/** Whatever their program tells of these computers, of itself otherwise, it says that these have said much more. */
export function boast(
  { session: { channel, identity } }: SimPerson,
  of: readonly string[] = [identity.device.id],
): void {
  const say = channel.say.bind(channel);
  channel.say = async (sphere, kind, body) => {
    if (!('heads' in body)) return await say(sphere, kind, body);
    const heads = body.heads.map((head) => (of.includes(head.device) ? { ...head, sequence: 999 } : head));
    await say(sphere, kind, { ...body, heads });
  };
}
