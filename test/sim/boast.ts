import type { SimPerson } from './sim-world.ts';

/** Whatever their program tells of itself, it says that it has said much more. */
export function boast({ session: { channel, identity } }: SimPerson): void {
  const say = channel.say.bind(channel);
  channel.say = async (sphere, kind, body) => {
    if (!('heads' in body)) return await say(sphere, kind, body);
    const heads = body.heads.map((head) => (head.device === identity.device.id ? { ...head, sequence: 999 } : head));
    await say(sphere, kind, { ...body, heads });
  };
}
