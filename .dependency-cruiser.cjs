/** The layers of the product, lowest first. See docs/architecture.md. */
const test = '\\.test\\.ts$|^test/';
const vendor = (name, packages, folder) => ({
  name,
  severity: 'error',
  from: { pathNot: `^${folder}|${test}` },
  to: { path: `node_modules/(${packages})/` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: { pathNot: test }, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '\\.test\\.ts$', '\\.config\\.ts$', '^electron/', '^tools/'] },
      to: {},
    },
    {
      name: 'base-imports-nothing',
      severity: 'error',
      from: { path: '^src/base/', pathNot: test },
      to: { pathNot: '^src/base/' },
    },
    {
      name: 'contract-imports-base-only',
      severity: 'error',
      from: { path: '^src/contract/', pathNot: test },
      to: { pathNot: '^src/(base|contract)/|node_modules/(@orpc/(client|contract|server)|zod)/' },
    },
    {
      name: 'ui-knows-only-the-contract',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: '^(src|electron)/', pathNot: '^src/(ui|contract|base)/' },
    },
    {
      name: 'ui-has-no-node',
      severity: 'error',
      from: { path: '^src/ui/', pathNot: test },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'nobody-imports-ui', severity: 'error', from: { pathNot: '^src/ui/' }, to: { path: '^src/ui/' } },
    {
      name: 'leaves-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/(torrent|xmpp|omemo|nat|storage)/', pathNot: test },
      to: { path: '^src/', pathNot: '^src/(base|contract|$1)/' },
    },
    {
      name: 'player-knows-torrent-only',
      severity: 'error',
      from: { path: '^src/player/', pathNot: test },
      to: { path: '^src/', pathNot: '^src/(base|contract|torrent|player)/' },
    },
    {
      name: 'only-public-torrents-are-sought-among-strangers',
      severity: 'error',
      from: { pathNot: `^src/torrent/dht/|^src/swarm/public-(dht|ways)\\.ts$|${test}` },
      to: { path: '^src/torrent/dht/' },
    },
    {
      name: 'only-public-torrents-exchange-peers',
      severity: 'error',
      from: { pathNot: `^src/swarm/public-ways\\.ts$|^src/torrent/(connection-info|peer-link)\\.ts$|${test}` },
      to: { path: '^src/torrent/peer-exchange\\.ts$' },
    },
    {
      name: 'spheres-below-player-and-hosts',
      severity: 'error',
      from: { path: '^src/spheres/', pathNot: test },
      to: { path: '^(src/(people|player|engine|swarm|media|cli|ui)|electron)/' },
    },
    {
      name: 'people-below-player-and-hosts',
      severity: 'error',
      from: { path: '^src/people/', pathNot: test },
      to: { path: '^(src/(player|engine|swarm|media|cli|ui|torrent|nat)|electron)/' },
    },
    {
      name: 'swarm-process-knows-torrent-and-nat',
      severity: 'error',
      from: { path: '^src/swarm/', pathNot: test },
      to: { path: '^src/', pathNot: '^src/(base|contract|torrent|nat|swarm)/' },
    },
    {
      name: 'media-process-knows-media-types-only',
      severity: 'error',
      from: { path: '^src/media/', pathNot: test },
      to: { path: '^src/', pathNot: '^src/(base|contract|media)/|^src/player/media-type\\.ts$' },
    },
    {
      name: 'engine-starts-its-children-and-imports-none',
      severity: 'error',
      from: { path: '^src/engine/', pathNot: test },
      to: {
        path: '^src/',
        pathNot: '^src/(base|contract|torrent|xmpp|omemo|nat|storage|spheres|people|player|engine)/',
      },
    },
    {
      name: 'desktop-shell-knows-the-engine-only',
      severity: 'error',
      from: { path: '^electron/', pathNot: test },
      to: { path: '^src/', pathNot: '^src/(base|contract|engine)/' },
    },
    {
      name: 'nobody-imports-the-desktop-shell',
      severity: 'error',
      from: { path: '^src/', pathNot: test },
      to: { path: '^electron/' },
    },
    {
      name: 'command-line-knows-the-contract',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: test },
      to: {
        path: '^src/',
        pathNot:
          '^src/(base|contract|cli)/|^src/engine/(serve|version|create-services|open-on-desktop)\\.ts$|^src/engine/profile',
      },
    },
    vendor('electron-only-in-electron', 'electron', 'electron/'),
    vendor(
      'torrent-packages-only-in-torrent',
      'webtorrent|create-torrent|bittorrent-[a-z]+|torrent-piece|parse-torrent',
      'src/torrent/',
    ),
    {
      name: 'inside-of-webtorrent-behind-one-door',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/torrent/(client|torrent-swarm|peer-link)\\.ts$|${test}` },
      to: { path: '^src/torrent/webtorrent-inside\\.ts$' },
    },
    vendor('xmpp-packages-only-in-xmpp', '@xmpp|ltx', 'src/xmpp/'),
    vendor('signal-only-in-omemo', 'libsignal-protocol-typescript|@privacyresearch', 'src/omemo/'),
    vendor('webrtc-only-in-nat-rtc', 'node-datachannel|@node-datachannel', 'src/nat/rtc/'),
    vendor('decoders-only-in-media', 'node-av|sharp|@seydx', 'src/media/'),
    {
      name: 'sqlite-only-in-storage',
      severity: 'error',
      from: { pathNot: `^src/storage/|${test}` },
      to: { path: '^(node:)?sqlite$|node_modules/better-sqlite3/' },
    },
    {
      name: 'not-to-test',
      severity: 'error',
      from: { pathNot: test },
      to: { path: test },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/torrent/bencode/node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
