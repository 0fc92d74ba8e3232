import * as z from 'zod';

/** What `doctor` prints with `--json`. Shapes only grow, and codes may come that a script does not know yet. */

const severity = z.string().describe('ok, info, warning or problem');
const device = {
  sphere: z.string().describe('id of the sphere'),
  jid: z.string(),
  device: z.string().describe('device key'),
};

const serverShape = z.object({
  software: z.string().nullable().describe('the program it says to be'),
  abilities: z.array(
    z.object({
      name: z.string(),
      spec: z.string().describe('as XEP-0313'),
      need: z.string().describe('must, should or nice'),
      has: z.boolean().nullable().describe('null = not known'),
      prosody: z.string().nullable().describe('what to add to the configuration of Prosody where it is missing'),
      ejabberd: z.string().nullable().describe('what to add to that of ejabberd'),
    }),
  ),
  tls: z.string().nullable(),
  resumes: z.boolean().describe('a short break loses nothing (XEP-0198)'),
  roundTripMs: z.number().int().nullable().describe('null = no answer'),
  clockAheadMs: z.number().int().nullable().describe('our clock against the server’s, null = the server tells no time'),
  features: z
    .object({
      rooms: z.boolean(),
      personalNodes: z.boolean(),
      archive: z.boolean(),
      carbons: z.boolean(),
      helpers: z.boolean().describe('STUN and TURN servers (XEP-0215)'),
    })
    .nullable(),
});

const networkShape = z.object({
  ports: z.array(
    z.object({
      purpose: z.string().describe('data, tracker or extra'),
      port: z.number().int(),
      state: z.string().describe('searching, open, unconfirmed, unreachable, closed, lied or unmapped'),
      via: z.string().nullable().describe('pcp, nat-pmp or upnp'),
      outside: z.string().nullable(),
      failure: z.string().nullable(),
    }),
  ),
  pinholes: z.array(z.object({ address: z.string(), port: z.number().int(), open: z.boolean() })),
  interfaces: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      family: z.number().int(),
      discovery: z.string().describe('on, off or failed'),
    }),
  ),
  lanHeard: z.number().int(),
  webrtc: z.string().describe('ready or unavailable'),
  iceServers: z.object({ stun: z.number().int(), turn: z.number().int() }),
});

export const doctorShape = z.object({
  version: z.string(),
  atMs: z.number().int().describe('milliseconds since the epoch'),
  findings: z.array(
    z.object({
      area: z.string().describe('server, transfers, router, ipv6, nearby, helpers, disk or clock'),
      code: z.string(),
      severity,
      params: z.record(z.string(), z.union([z.string(), z.number()])),
    }),
  ),
  devices: z.array(
    z.object({
      ...device,
      state: z.string().describe('connected, connecting, carried, silent, unreached, idle or offline'),
      severity,
      path: z.string().nullable().describe('lan, ipv6, tcp, webrtc or turn'),
      because: z.array(z.string()).describe('why not in a better way'),
      advice: z.string().nullable(),
      attempts: z.array(
        z.object({
          path: z.string(),
          outcome: z.string().describe('untried, connected, unreachable, refused or no-address'),
          atMs: z.number().int().describe('milliseconds since the epoch, 0 = never'),
        }),
      ),
    }),
  ),
  server: serverShape.nullable(),
  network: networkShape.nullable(),
  disks: z.array(
    z.object({
      sphere: z.string().describe('id of the sphere'),
      folder: z.string(),
      freeBytes: z.number().int().nullable(),
      writable: z.boolean(),
    }),
  ),
});
