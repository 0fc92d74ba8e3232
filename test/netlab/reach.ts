import { connect } from 'node:net';

/** Runs outside: what somebody who calls an address hears, or the error. */
const [address = '', port = ''] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port), timeout: 800 });
let heard = '';
socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
socket.on('end', () => console.log(heard));
socket.on('timeout', () => {
  console.log('silence');
  socket.destroy();
});
socket.on('error', (error) => console.log(error.message));
