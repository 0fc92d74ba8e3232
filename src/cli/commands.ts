import type { Command } from './command.ts';
import { accountCommands } from './commands/account.ts';
import { doctorCommands } from './commands/doctor.ts';
import { engineCommands } from './commands/engine.ts';
import { itemCommands } from './commands/items.ts';
import { keptItemCommands } from './commands/kept-items.ts';
import { messageCommands } from './commands/messages.ts';
import { peopleCommands } from './commands/people.ts';
import { profileCommands } from './commands/profiles.ts';
import { settingsCommands } from './commands/settings.ts';
import { sphereCommands } from './commands/spheres.ts';
import { transferCommands } from './commands/transfers.ts';

/** Every command of the program, in the order in which help and documentation show them. */
export const commands: readonly Command[] = [
  ...engineCommands.slice(0, 2),
  ...profileCommands,
  ...accountCommands,
  ...sphereCommands,
  ...peopleCommands,
  ...itemCommands,
  ...keptItemCommands,
  ...messageCommands,
  ...transferCommands,
  ...settingsCommands,
  ...engineCommands.slice(2),
  ...doctorCommands,
];
