import { readFile } from 'node:fs/promises';
import { parseBareJid } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { child, children, xml } from '../../src/xmpp/element.ts';

/** `ask-services.ts JID PASSWORD CA-FILE HOST:PORT`: signs in and writes what the server announces by XEP-0215. */
const [jid = '', password = '', caFile = '', address = ''] = process.argv.slice(2);
const [host = '', port = ''] = address.split(':');
const NS = 'urn:xmpp:extdisco:2';
const login = {
  jid: parseBareJid(jid),
  password,
  server: { host, port: Number(port), directTls: port === '443' },
  ca: [await readFile(caFile, 'utf8')],
};
await using client = new XmppClient({ clock: systemClock, random: systemRandom, log: silentLogger, login });
const signal = AbortSignal.timeout(10_000);
await client.connect(signal);
const answer = await client.iq('get', client.domain, xml('services', { xmlns: NS }), signal);
const services = children(child(answer, 'services', NS), 'service', NS).map(({ attrs }) => ({ ...attrs }));
console.log(JSON.stringify(services));
