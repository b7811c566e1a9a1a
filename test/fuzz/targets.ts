/** The parsers of bytes from outside, each with bytes that it takes: what is tried are changes of those. */
import { readCallTree } from '../../src/formats/call-tree/call-tree.js';
import { readFolded } from '../../src/formats/folded/folded.js';
import { readJfr } from '../../src/formats/jfr/jfr.js';
import { NO_JFR_LABELS, readJfrLabels } from '../../src/formats/jfr/jfr-labels.js';
import { readMultipart } from '../../src/formats/multipart/multipart.js';
import { PprofDecoder } from '../../src/formats/pprof/decode.js';
import { subtractPprof } from '../../src/formats/pprof/subtract.js';
import { readSpeedscope } from '../../src/formats/speedscope/speedscope.js';
import { StackProfile } from '../../src/formats/stacks/stack-profile.js';
import { cpuProfileToPprof } from '../../src/formats/v8/cpuprofile.js';
import { heapProfileToPprof } from '../../src/formats/v8/heapprofile.js';
import type { PyroscopeFormat } from '../../src/ingest/pyroscope/body.js';
import { pyroscopeWrites } from '../../src/ingest/pyroscope/convert.js';
import { readSampleTypeConfig } from '../../src/ingest/pyroscope/sample-type-config.js';
import { decodeWriteRequest } from '../../src/ingest/envelope.js';
import { compileMatcher } from '../../src/model/matcher.js';
import { compileAnchoredRegex, compileSearchRegex } from '../../src/model/safe-regex.js';
import { parseSelector } from '../../src/model/selector.js';
import { parseStackPattern } from '../../src/model/stack-pattern.js';
import { parseAttime } from '../../src/server/pyroscope/attime.js';
import { parseQuery } from '../../src/server/pyroscope/query-text.js';
import { readIngestQuery } from '../../src/server/pyroscope/ingest-query.js';
import { plainPprof } from '../support/plain-pprof.js';
import { inflate } from '../support/read-pprof.js';
import { smallJfr } from '../support/small-jfr.js';
import { encodeFields, len, num } from '../support/wire-fields.js';

export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** May throw StoreErrors, and nothing else. */
  readonly run: (bytes: Uint8Array) => void;
}

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));
const json = (value: unknown): Uint8Array => text(JSON.stringify(value));

const gzippedPprof = plainPprof({
  types: [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ],
  periodType: 'cpu',
  periodUnit: 'nanoseconds',
  startMs: 1_790_000_000_000,
  samples: [
    { functions: ['main', 'run'], labels: { vehicle: 'car' }, values: [3n, 30n] },
    { functions: ['main'], values: [1n, -10n] },
  ],
});
const pprof = Uint8Array.from(inflate(gzippedPprof));

const FORM = text(
  '--x\r\nContent-Disposition: form-data; name="profile"; filename="p"\r\n\r\nabc\r\n--x\r\nContent-Disposition: form-data; name=b\r\n\r\n{}\r\n--x--\r\n',
);
const HEAP = Uint8Array.from(
  inflate(
    plainPprof({
      types: [
        { type: 'alloc_space', unit: 'bytes' },
        { type: 'inuse_space', unit: 'bytes' },
      ],
      periodType: 'space',
      periodUnit: 'bytes',
      startMs: 1_790_000_000_000,
      samples: [
        { functions: ['main', 'grow'], labels: { bytes: '8' }, values: [16n, 8n] },
        { functions: ['main'], values: [1n, 0n] },
      ],
    }),
  ),
);
const partOf = (name: string, content: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    content,
    Buffer.from('\r\n'),
  ]);
const COUNTERS_FORM = Uint8Array.from(
  Buffer.concat([partOf('profile', HEAP), partOf('prev_profile', HEAP), text('--x--\r\n')]),
);
const LONG_NAME = `${'a'.repeat(4_000)}!`;
const FOLDED = text('main;run 3\nmain;läuft 2\r\n\nmain 4\n;; 1\nx y -3');
const TREE = Uint8Array.from([
  ...[0, 0, 2, 4, ...Buffer.from('main'), 0, 1, 3, ...Buffer.from('run'), 0x80, 1, 0],
  ...[1, 0x61, 5, 0],
]);
const TRIE = Uint8Array.from([
  ...[0, 0, 1, 7, ...Buffer.from('main;ru'), 0, 2, 1, 0x6e, 3, 0],
  ...[3, ...Buffer.from('b;c'), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
]);
const SPEEDSCOPE = [
  json({
    shared: { frames: [{ name: 'main' }, { name: 'run', file: 'a.js', line: 3, col: 1 }] },
    profiles: [
      { type: 'sampled', name: 'a', unit: 'seconds', samples: [[0, 1], [0]], weights: [0.5, 1] },
    ],
  }),
  json({
    shared: { frames: [{ name: 'main' }] },
    profiles: [
      {
        ...{ type: 'evented', name: 'b', unit: 'none', startValue: 0, endValue: 9 },
        events: [
          { type: 'O', frame: 0, at: 1 },
          { type: 'C', frame: 0, at: 4 },
        ],
      },
    ],
  }),
];
const JFR = smallJfr([
  { type: 'jdk.ActiveSetting', fields: { name: 'event', value: 'wall' } },
  { type: 'jdk.ExecutionSample', fields: { stackTrace: 1, state: 1, contextId: 5, spanId: -1n } },
  { type: 'profiler.WallClockSample', fields: { stackTrace: 2, state: 2, samples: 4 } },
  { type: 'jdk.JavaMonitorEnter', fields: { stackTrace: 1, duration: 20 } },
  { type: 'jdk.ObjectAllocationInNewTLAB', fields: { stackTrace: 1, tlabSize: 1_024 } },
]);
const JFR_LABELS = encodeFields([
  len(1, num(1, 5), len(2, len(1, num(1, 1), num(2, 2)))),
  len(2, num(1, 1), len(2, 'vehicle')),
  len(2, num(1, 2), len(2, 'car')),
]);
const CONFIG = json({
  contentions: { units: 'x', 'display-name': 'mutex_count', cumulative: true },
});
const WRITE = encodeFields([
  len(1, len(1, 'service_name'), len(2, 'shop')),
  len(2, pprof),
  len(3, 'id'),
  num(4, 1),
]);
const CPU_PROFILE = json({
  nodes: [
    {
      id: 1,
      callFrame: { functionName: '(root)', url: '', lineNumber: -1, columnNumber: -1 },
      children: [2],
    },
    { id: 2, callFrame: { functionName: 'run', url: 'a.js', lineNumber: 3, columnNumber: 1 } },
  ],
  ...{ startTime: 1, endTime: 90, samples: [2, 2], timeDeltas: [3, 40] },
});
const HEAP_PROFILE = json({
  head: {
    callFrame: { functionName: '(root)', url: '', lineNumber: -1, columnNumber: -1 },
    ...{ selfSize: 0, id: 1 },
    children: [
      {
        callFrame: { functionName: 'run', url: 'a.js', lineNumber: 3, columnNumber: 1 },
        ...{ selfSize: 7, id: 2, children: [] },
      },
    ],
  },
});

function whole(
  format: PyroscopeFormat,
  seeds: readonly Uint8Array[],
  contentType = '',
): FuzzTarget {
  // Bytes, not samples: those are multiplied, and the largest numbers then do not fit.
  const query = {
    appName: 'shop.alloc_space',
    labels: [],
    format,
    sampleRate: 100,
    spyName: 'x',
    fromNs: 1n,
  };
  return {
    name: `/ingest ${format}${contentType === '' ? '' : ' form'}`,
    seeds,
    run: (body) => void pyroscopeWrites({ query, contentType, body }),
  };
}

const decoder = new PprofDecoder();

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  { name: 'pprof', seeds: [pprof, gzippedPprof], run: (bytes) => void decoder.decode(bytes) },
  { name: 'write request', seeds: [WRITE], run: (bytes) => void decodeWriteRequest(bytes) },
  { name: 'multipart', seeds: [FORM], run: (bytes) => void readMultipart(bytes, 'x') },
  {
    name: 'folded',
    seeds: [FOLDED],
    run: (bytes) => void readFolded(bytes, 'folded', new StackProfile(1)),
  },
  {
    name: 'lines',
    seeds: [FOLDED, text('main;run')],
    run: (bytes) => void readFolded(bytes, 'lines', new StackProfile(1)),
  },
  { name: 'trie', seeds: [TRIE], run: (bytes) => readCallTree(bytes, 'trie', new StackProfile(1)) },
  { name: 'tree', seeds: [TREE], run: (bytes) => readCallTree(bytes, 'tree', new StackProfile(1)) },
  { name: 'speedscope', seeds: SPEEDSCOPE, run: (bytes) => void readSpeedscope(bytes) },
  { name: 'jfr', seeds: [JFR], run: (bytes) => void readJfr(bytes, NO_JFR_LABELS) },
  { name: 'jfr labels', seeds: [JFR_LABELS], run: (bytes) => void readJfrLabels(bytes) },
  { name: 'sample_type_config', seeds: [CONFIG], run: (bytes) => void readSampleTypeConfig(bytes) },
  { name: 'V8 CPU', seeds: [CPU_PROFILE], run: (bytes) => void cpuProfileToPprof(bytes) },
  { name: 'V8 heap', seeds: [HEAP_PROFILE], run: (bytes) => void heapProfileToPprof(bytes) },
  {
    name: '/ingest query',
    seeds: [
      text('name=shop.cpu%7Ba=b,c=d%7D&from=now-1h&until=1790000000&sampleRate=7&format=lines'),
    ],
    run: (bytes) => void readIngestQuery(Buffer.from(bytes).toString(), 'a/b', 1_790_000_000_000),
  },
  {
    name: 'pprof taken off another',
    seeds: [HEAP],
    run: (bytes) => {
      // Changed bytes on either side.
      decoder.decode(subtractPprof(HEAP, bytes, ({ type }) => type.startsWith('alloc')));
      decoder.decode(subtractPprof(bytes, HEAP, () => true));
    },
  },
  {
    name: 'selector',
    seeds: [text('{service_name="shop", pod=~"a.*|b", zone!="läuft", x!~"[^0-9]+$"}'), text('{}')],
    run: (bytes) => {
      for (const matcher of parseSelector(Buffer.from(bytes).toString())) {
        compileMatcher(matcher).test(LONG_NAME);
      }
    },
  },
  {
    name: 'regular expression',
    seeds: [text('^(a+)+$|(?i:main)\\.[a-z]{2,9}?\\b'), text('.*(x|xx|xy)*')],
    run: (bytes) => {
      const pattern = Buffer.from(bytes).toString();
      compileAnchoredRegex(pattern).test(LONG_NAME);
      compileSearchRegex(pattern, true).test(LONG_NAME);
    },
  },
  {
    name: 'stack pattern',
    seeds: [
      text('!leaf: function=~"^main" i, file="a.go" > * > mapping*="x"'),
      text('root:name=run'),
    ],
    run: (bytes) => void parseStackPattern(Buffer.from(bytes).toString()),
  },
  {
    name: 'render query',
    seeds: [
      text(
        'query=process_cpu:cpu:nanoseconds:cpu:nanoseconds%7Ba%3D%22b%22%7D&from=now-1h&until=1790000000',
      ),
      text('query=memory:alloc_space:bytes:space:bytes%7B%7D&from=20260101&until=now'),
    ],
    run: (bytes) => {
      const parameters = new URLSearchParams(Buffer.from(bytes).toString());
      parseQuery(parameters.get('query') ?? '');
      for (const name of ['from', 'until']) parseAttime(name, parameters.get(name) ?? '', 1e12);
    },
  },
  whole('pprof', [FORM, COUNTERS_FORM], 'multipart/form-data; boundary=x'),
  whole('folded', [FOLDED]),
  whole('trie', [TRIE]),
  whole('tree', [TREE]),
  whole('speedscope', SPEEDSCOPE),
  whole('jfr', [JFR]),
];
