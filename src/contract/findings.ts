/** The words of the connection check, apart from its schemas, so that a page needs nothing else to show them. */

/** The parts of the check, in the order in which people read them. */
export const AREAS = ['server', 'transfers', 'router', 'ipv6', 'nearby', 'helpers', 'disk', 'clock'] as const;
export type Area = (typeof AREAS)[number];

/** `warning`: it works, and could work better. `problem`: something does not work until somebody acts. */
export const SEVERITIES = ['ok', 'info', 'warning', 'problem'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Everything the check can find: where it belongs and how much it matters. Words for it are the reader's matter. */
export const FINDINGS = {
  'server-reached': { area: 'server', severity: 'ok' },
  'server-connecting': { area: 'server', severity: 'info' },
  'server-silent': { area: 'server', severity: 'warning' },
  'server-slow': { area: 'server', severity: 'warning' },
  'server-forgets': { area: 'server', severity: 'warning' },
  'server-breaks-off': { area: 'server', severity: 'info' },
  'server-lacks': { area: 'server', severity: 'warning' },
  'server-unfit': { area: 'server', severity: 'problem' },
  'server-away': { area: 'server', severity: 'problem' },
  'sign-in-refused': { area: 'server', severity: 'problem' },
  'signed-out': { area: 'server', severity: 'problem' },
  'transfers-ready': { area: 'transfers', severity: 'ok' },
  'transfers-starting': { area: 'transfers', severity: 'info' },
  'transfers-stopped': { area: 'transfers', severity: 'problem' },
  'extra-door-closed': { area: 'transfers', severity: 'warning' },
  'router-open': { area: 'router', severity: 'ok' },
  'router-not-needed': { area: 'router', severity: 'ok' },
  'router-searching': { area: 'router', severity: 'info' },
  'router-not-asked': { area: 'router', severity: 'info' },
  'router-closed': { area: 'router', severity: 'warning' },
  'router-shared': { area: 'router', severity: 'warning' },
  'router-unconfirmed': { area: 'router', severity: 'info' },
  'router-lied': { area: 'router', severity: 'warning' },
  'ipv6-open': { area: 'ipv6', severity: 'ok' },
  'ipv6-guarded': { area: 'ipv6', severity: 'info' },
  'ipv6-none': { area: 'ipv6', severity: 'info' },
  'nearby-on': { area: 'nearby', severity: 'ok' },
  'nearby-off': { area: 'nearby', severity: 'info' },
  'nearby-failed': { area: 'nearby', severity: 'warning' },
  'network-none': { area: 'nearby', severity: 'problem' },
  'helper-relay': { area: 'helpers', severity: 'ok' },
  'helper-silent': { area: 'helpers', severity: 'info' },
  'helper-introduces': { area: 'helpers', severity: 'ok' },
  'helper-not-needed': { area: 'helpers', severity: 'info' },
  'helper-missing': { area: 'helpers', severity: 'warning' },
  'helper-unusable': { area: 'helpers', severity: 'warning' },
  'disk-room': { area: 'disk', severity: 'ok' },
  'disk-low': { area: 'disk', severity: 'warning' },
  'disk-full': { area: 'disk', severity: 'problem' },
  'disk-locked': { area: 'disk', severity: 'problem' },
  'clock-right': { area: 'clock', severity: 'ok' },
  'clock-unknown': { area: 'clock', severity: 'info' },
  'clock-wrong': { area: 'clock', severity: 'warning' },
} as const satisfies Record<string, { area: Area; severity: Severity }>;

export type FindingCode = keyof typeof FINDINGS;
/** Why a device is not reached in a better way. */
export const BECAUSE_CODES = [
  'apart',
  'nearby-silent',
  'nearby-refused',
  'ipv6-ours',
  'ipv6-theirs',
  'ipv6-silent',
  'ipv6-refused',
  'doors-closed',
  'door-unused',
  'door-shared',
  'door-lied',
  'door-silent',
  'door-refused',
  'through-ours',
  'through-theirs',
  'through-no-helper',
  'through-blocked',
  'relay-none',
  'relay-silent',
  'not-tried',
] as const;

/** What the person can do about it. */
export const ADVICE_CODES = ['open-router', 'leave-one-on', 'restart-router', 'ask-them', 'wait'] as const;
