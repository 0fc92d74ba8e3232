import { createInterface } from 'node:readline';
import { HOME_KINDS } from './home-plan.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';

/** A laboratory for use by hand: `node test/netlab/lab.ts a=cone,hosts=2 b=symmetric`. It ends with its input. */
const HELP = `cut a | heal a | cut a1 | heal a1 | reboot a | address a | places | end
and from another terminal: ip netns exec NAME COMMAND`;

const homes = Object.fromEntries(
  process.argv.slice(2).map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)]),
);
const missing = await whyNoLab();
if (missing !== undefined || Object.keys(homes).length === 0) {
  console.error(
    missing ?? `usage: node test/netlab/lab.ts NAME=KIND[,OPTION=VALUE…]…\nkinds: ${HOME_KINDS.join(', ')}`,
  );
  process.exit(1);
}
process.once('SIGTERM', () => process.exit(0));
process.once('SIGINT', () => process.exit(0));
await using lab = await NetworkLab.start(homes);
showPlaces();
console.log(HELP);
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', what = ''] = line.trim().split(/\s+/);
  if (command === 'end') break;
  try {
    await run(command, what);
  } catch (error) {
    console.log(String(error));
  }
}

async function run(command: string, what: string): Promise<void> {
  if (command === 'cut') await lab.cut(what);
  else if (command === 'heal') await lab.heal(what);
  else if (command === 'reboot') await lab.home(what).reboot();
  else if (command === 'address') console.log(await lab.home(what).changeAddress());
  else if (command === 'places') showPlaces();
  else console.log(HELP);
}

function showPlaces(): void {
  for (const place of lab.places) console.log(`${place}\t${lab.namespaceOf(place)}`);
}
