import { createSocket } from 'node:dgram';

/** Runs on a host of the laboratory: `hostile-device.ts ADDRESS…` answers each search for a router with a hundred lies. */
const SSDP = { group: '239.255.255.250', port: 1900 };
const REPLIES = 100;
const targets = process.argv.slice(2);
let sent = 0;

const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', (packet, sender) => {
  const target = /^ST: (.+)$/m.exec(packet.toString('latin1'))?.[1]?.trim();
  if (target === undefined) return;
  for (let count = 0; count < REPLIES; count += 1) {
    const address = targets[count % targets.length];
    const lines = ['HTTP/1.1 200 OK', `ST: ${target}`, `LOCATION: http://${address}:${5_000 + count}/rootDesc.xml`];
    socket.send([...lines, '', ''].join('\r\n'), sender.port, sender.address);
    sent += 1;
  }
  console.log(sent);
});
socket.bind(SSDP.port, () => {
  socket.addMembership(SSDP.group);
  console.log('ready');
});
