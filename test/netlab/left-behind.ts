import { NetworkLab } from './network-lab.ts';

/** Builds a laboratory, says so and waits to be killed. */
await NetworkLab.start({ a: 'all', b: 'cgnat,delay=5' });
console.log('ready');
await new Promise(() => setInterval(() => undefined, 1000));
