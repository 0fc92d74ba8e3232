import { connect } from 'node:net';

/** Runs outside: what somebody who calls an address hears, or the error. */
const [address = '', port = ''] = process.argv.slice(2);
/** Who listens connects at once, and may take its time to speak on a busy machine. */
const [CONNECT_MS, SPEAK_MS] = [800, 15_000];
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
