import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** `listen.ts PORT [who]` greets callers, or tells them who they are; `listen.ts time ADDRESS PORT` how long a call takes to stand, in ms. */
const [first = '', second = '', third = ''] = process.argv.slice(2);
if (first === 'time') {
  const begin = performance.now();
  const socket = connect(Number(third), second);
  await once(socket, 'connect');
  console.log(performance.now() - begin);
  socket.destroy();
} else {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).end(second === 'who' ? `you are ${socket.remoteAddress}` : 'hello');
  });
  await once(server.listen(Number(first), '::'), 'listening');
  console.log('ready');
}
