// Import rules, generated from the two tables below. The order is the one of ARCHITECTURE.md's folder map: a layer
// imports only from those above it. Each rule is broken on purpose in test/unit/house/rules.test.ts.

/** Layer names in order; a name with a dot is a file of src/. */
const LAYERS = [
  'base',
  'env',
  'gen',
  'model',
  'formats',
  'symbols',
  'columnar',
  'objstore',
  'parquet',
  'log',
  'manifest',
  'block',
  'head',
  'ingest',
  'compaction',
  'query',
  'store',
  'index.ts',
  'server',
  'ui',
  'cli',
];

/** These never import one another, and only those of MEETING_POINTS import them. */
const SIDES = ['ingest', 'compaction', 'query'];
const MEETING_POINTS = ['store', 'index.ts', 'server', 'cli'];

/** Exceptions from "everything above": what a layer may not import although it is above. */
const FORBIDDEN = { server: ['store', 'index.ts'], ui: ['server', 'store', 'index.ts'] };

/** Outside module (pattern of its path) and the layers that may import it. */
const OWNERS = [
  ['apache-arrow', '(^|/)node_modules/apache-arrow/', ['columnar']],
  ['parquet-wasm', '(^|/)node_modules/parquet-wasm/', ['parquet']],
  ['hyparquet', '(^|/)node_modules/hyparquet/', ['parquet']],
  ['aws-sdk', '(^|/)node_modules/(@aws-sdk|@smithy)/', ['objstore']],
  ['re2js', '(^|/)node_modules/re2js/', ['model']],
  ['grpc', '(^|/)node_modules/@grpc/', ['server']],
  ['connect', '(^|/)node_modules/@connectrpc/', ['server']],
  ['yaml', '(^|/)node_modules/yaml/', ['cli']],
  ['d3', '(^|/)node_modules/d3-', ['ui']],
  // The protobuf runtime is the one package with several owners: every user of src/gen meets its types.
  [
    'protobuf',
    '(^|/)node_modules/@bufbuild/protobuf/',
    ['gen', 'manifest', 'block', 'log', 'ingest', 'server', 'cli'],
  ],
  ['fs', '^(node:)?fs(/promises)?$', ['env', 'objstore']],
  ['zlib', '^(node:)?zlib$', ['env', 'formats', 'server']],
  ['crypto', '^(node:)?crypto$', ['env']],
  ['timers', '^(node:)?timers(/promises)?$', ['env']],
  ['threads', '^(node:)?(worker_threads|child_process|cluster)$', ['env']],
  ['network', '^(node:)?(http|https|http2|net|tls|dgram|dns)$', ['env', 'server', 'cli']],
  ['host', '^(node:)?(os|process|perf_hooks|v8|vm|async_hooks)$', ['env', 'server', 'cli']],
  ['inspector', '^(node:)?inspector(/promises)?$', ['server']],
  ['module', '^(node:)?module$', ['env', 'ui', 'cli']],
];

/** Modules of Node that hold no state and touch nothing: anyone may import them. */
const PURE_NODE = '^(node:)?(buffer|path|url|util|events|string_decoder|assert|stream)(/|$)';

function pathOf(layer) {
  const escaped = layer.replaceAll('.', '\\.');
  return layer.includes('.') ? `^src/${escaped}$` : `^src/${escaped}/`;
}

function anyOf(layers) {
  return layers.map(pathOf).join('|');
}

function allowedFrom(layer) {
  const index = LAYERS.indexOf(layer);
  const forbidden = FORBIDDEN[layer] ?? [];
  return LAYERS.slice(0, index + 1).filter(
    (other) =>
      other === layer ||
      (!forbidden.includes(other) && (!SIDES.includes(other) || MEETING_POINTS.includes(layer))),
  );
}

const layerRules = LAYERS.map((layer) => ({
  name: `layer-${layer}`,
  comment: `src/${layer} imports only from: ${allowedFrom(layer).join(', ')}`,
  severity: 'error',
  from: { path: pathOf(layer) },
  to: { path: '^src/', pathNot: anyOf(allowedFrom(layer)) },
}));

const ownerRules = OWNERS.map(([name, pattern, layers]) => ({
  name: `owner-${name}`,
  comment: `only these import it: ${layers.join(', ')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: anyOf(layers) },
  to: { path: pattern },
}));

const ownedPatterns = OWNERS.map(([, pattern]) => pattern).join('|');

module.exports = {
  forbidden: [
    ...layerRules,
    ...ownerRules,
    {
      name: 'unknown-package',
      comment: 'each outside package has an owner: add it to OWNERS and to ARCHITECTURE.md',
      severity: 'error',
      from: { path: '^src/' },
      // A relative path that cannot be resolved is reported by not-resolvable.
      to: { pathNot: `^src/|^\\.{1,2}/(?!.*node_modules/)|${PURE_NODE}|${ownedPatterns}` },
    },
    {
      name: 'unknown-folder',
      comment: 'each folder of src is a layer: add it to LAYERS and to ARCHITECTURE.md',
      severity: 'error',
      from: { path: '^src/', pathNot: anyOf(LAYERS) },
      to: {},
    },
    {
      name: 'no-circular',
      comment: 'type-only imports included',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'src-not-to-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/ui/static/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
