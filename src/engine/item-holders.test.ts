import { expect, test } from 'vitest';
import { sharedFilm } from '../../test/sim/received-item.ts';
import { itemHolders } from './item-holders.ts';

test('who has an item: we first, then what devices said of themselves and who shared it', async () => {
  const { ana, ben, itemId, world } = await sharedFilm();
  const look = ({ session }: typeof ana) => {
    const { items, source, rooms, names } = session;
    const row = items.row(itemId);
    const holders = itemHolders({ items, rooms, names }, session.sphere(), row, source.event(session.sphere(), itemId));
    return holders.map(({ jid, isMe, online, bytesHave }) => ({ jid, isMe, online, bytesHave }));
  };
  expect(look(ana)).toEqual([
    { jid: ana.jid, isMe: true, online: true, bytesHave: 5000 },
    { jid: ben.jid, isMe: false, online: true, bytesHave: null },
  ]);
  expect(look(ben)).toEqual([
    { jid: ben.jid, isMe: true, online: true, bytesHave: 0 },
    { jid: ana.jid, isMe: false, online: true, bytesHave: 5000 },
  ]);
  const { infoHash } = ana.session.items.row(itemId);
  const rest = { infoHash, address: '192.0.2.1:1', path: 'lan', downBps: 0, upBps: 0 } as const;
  const device = ben.session.identity.device.id;
  ana.session.swarm.emit({ kind: 'peers', peers: [{ ...rest, device, bytesHave: 2000 }] });
  await world.quiet();
  expect(look(ana)[1]).toMatchObject({ bytesHave: 2000 });
  ana.session.swarm.emit({ kind: 'peers', peers: [] });
  await world.quiet();
  expect(look(ana)[1]).toMatchObject({ bytesHave: 2000 });
});
