import { connect } from 'node:net';

/** `reach.ts ADDRESS PORT [briefly]` runs outside: what somebody who calls an address hears, or the error. */
const [address = '', port = '', patience = ''] = process.argv.slice(2);
/** A first packet that is lost is sent again after a second, then after two more. Who listens may be slow to speak. */
const [CONNECT_MS, SPEAK_MS] = patience === 'briefly' ? [800, 800] : [10_000, 15_000];
const socket = connect({ host: address, port: Number(port), timeout: CONNECT_MS });
socket.on('connect', () => socket.setTimeout(SPEAK_MS));
let heard = '';
socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
socket.on('end', () => console.log(heard));
socket.on('timeout', () => {
  console.log('silence');
  socket.destroy();
});
socket.on('error', (error) => console.log(error.message));
