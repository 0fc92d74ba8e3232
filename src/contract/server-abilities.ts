/** What a server can do for us, and what the people who run one have to write so that it does. */

/** `must`: spheres do not work without. `should`: something is lost. `nice`: it works as well, with less comfort. */
export type Need = 'must' | 'should' | 'nice';

interface AbilityFacts {
  /** Where it is specified. */
  readonly spec: string;
  readonly need: Need;
  /** The lines to add, with `{domain}` for the server's own; null where no line helps, only a newer version. */
  readonly prosody: string | null;
  readonly ejabberd: string | null;
}

const STARTTLS_RECORD = '_xmpp-client._tcp.{domain}. IN SRV 5 1 5222 {domain}.';
const DIRECT_TLS_RECORD = '_xmpps-client._tcp.{domain}. IN SRV 1 1 5223 {domain}.';

/** In the order in which a person reads them. */
export const SERVER_ABILITIES = {
  encryption: {
    spec: 'RFC 7590',
    need: 'must',
    prosody: 'c2s_require_encryption = true',
    ejabberd: '- { port: 5222, module: ejabberd_c2s, starttls_required: true } # under listen',
  },
  scram: {
    spec: 'RFC 5802',
    need: 'should',
    prosody: 'authentication = "internal_hashed"',
    ejabberd: 'auth_password_format: scram',
  },
  'channel-binding': { spec: 'XEP-0440', need: 'nice', prosody: null, ejabberd: null },
  'starttls-record': { spec: 'RFC 6120', need: 'nice', prosody: STARTTLS_RECORD, ejabberd: STARTTLS_RECORD },
  'direct-tls-record': {
    spec: 'XEP-0368',
    need: 'nice',
    prosody: `c2s_direct_tls_ports = { 5223 }\n-- DNS: ${DIRECT_TLS_RECORD}`,
    ejabberd: `- { port: 5223, module: ejabberd_c2s, tls: true } # under listen\n# DNS: ${DIRECT_TLS_RECORD}`,
  },
  resumption: {
    spec: 'XEP-0198',
    need: 'should',
    prosody: '"smacks"; -- into modules_enabled',
    ejabberd: 'mod_stream_mgmt: {} # under modules',
  },
  'personal-nodes': {
    spec: 'XEP-0163',
    need: 'must',
    prosody: '"pep"; -- into modules_enabled',
    ejabberd: 'mod_caps: {}\nmod_pubsub: { plugins: [flat, pep] } # under modules',
  },
  'publish-options': {
    spec: 'XEP-0060',
    need: 'nice',
    prosody: '"pep"; -- into modules_enabled',
    ejabberd: 'mod_pubsub: { plugins: [flat, pep] } # under modules',
  },
  'open-keys': {
    spec: 'XEP-0384',
    need: 'should',
    prosody: '"pep"; -- into modules_enabled',
    ejabberd:
      'mod_pubsub: { plugins: [flat, pep], force_node_config: { "eu.siacs.conversations.axolotl.*": { access_model: open } } } # under modules',
  },
  archive: {
    spec: 'XEP-0313',
    need: 'should',
    prosody: '"mam"; -- into modules_enabled\narchive_expires_after = "1y"',
    ejabberd: 'mod_mam: { default: always } # under modules',
  },
  carbons: {
    spec: 'XEP-0280',
    need: 'should',
    prosody: '"carbons"; -- into modules_enabled',
    ejabberd: 'mod_carboncopy: {} # under modules',
  },
  rooms: {
    spec: 'XEP-0045',
    need: 'must',
    prosody: 'Component "rooms.{domain}" "muc"',
    ejabberd: 'mod_muc: { host: "rooms.{domain}" } # under modules',
  },
  'closed-rooms': {
    spec: 'XEP-0045',
    need: 'should',
    prosody: 'Component "rooms.{domain}" "muc"\n  restrict_room_creation = "local"',
    ejabberd: 'mod_muc: { access_create: local, access_persistent: local } # under modules',
  },
  'room-archive': {
    spec: 'XEP-0313',
    need: 'should',
    prosody: 'Component "rooms.{domain}" "muc"\n  modules_enabled = { "muc_mam" }\n  muc_log_by_default = true',
    ejabberd: 'mod_mam: {}\nmod_muc: { default_room_options: { mam: true } } # under modules',
  },
  blocking: {
    spec: 'XEP-0191',
    need: 'should',
    prosody: '"blocklist"; -- into modules_enabled',
    ejabberd: 'mod_privacy: {}\nmod_blocking: {} # under modules',
  },
  relays: {
    spec: 'XEP-0215',
    need: 'nice',
    prosody:
      '"turn_external"; -- into modules_enabled\nturn_external_host = "turn.{domain}"\nturn_external_secret = "…"',
    ejabberd:
      '- { port: 3478, transport: udp, module: ejabberd_stun, use_turn: true, turn_ipv4_address: "…" } # under listen\nmod_stun_disco: {} # under modules',
  },
  'account-changes': {
    spec: 'XEP-0077',
    need: 'nice',
    prosody: '"register"; -- into modules_enabled',
    ejabberd: 'mod_register: { access: none } # under modules',
  },
  'client-state': {
    spec: 'XEP-0352',
    need: 'nice',
    prosody: '"csi_simple"; -- into modules_enabled',
    ejabberd: 'mod_client_state: {} # under modules',
  },
  time: {
    spec: 'XEP-0202',
    need: 'nice',
    prosody: '"time"; -- into modules_enabled',
    ejabberd: 'mod_time: {} # under modules',
  },
} as const satisfies Record<string, AbilityFacts>;

export type ServerAbility = keyof typeof SERVER_ABILITIES;
export const ABILITY_NAMES = Object.keys(SERVER_ABILITIES) as [ServerAbility, ...ServerAbility[]];

/** What to write into the configuration of either program. */
export function linesToAdd(ability: ServerAbility, domain: string): Pick<AbilityFacts, 'prosody' | 'ejabberd'> {
  const { prosody, ejabberd }: AbilityFacts = SERVER_ABILITIES[ability];
  const fill = (line: string | null): string | null => line?.replaceAll('{domain}', domain) ?? null;
  return { prosody: fill(prosody), ejabberd: fill(ejabberd) };
}
