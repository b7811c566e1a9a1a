import fc from 'fast-check';
import {
  Function as PprofFunction,
  Label,
  Line,
  Location,
  Mapping,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from 'pprof-format';
import { expect, it } from 'vitest';
import { openTestIngest } from '../support/ingest-store.js';
import { LossyFiles } from '../support/lossy-files.js';
import { readPprof } from '../support/read-pprof.js';

const name = fc.constantFrom('a', 'b', 'c', 'main.run', 'pkg.F[go.shape.int]', 'ünïcode');
const value = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: -3n, max: 3n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n }) },
);
const line = fc.record({ fn: fc.nat(5), line: fc.nat(3) });
const location = fc.record({
  lines: fc.array(line, { maxLength: 3 }),
  address: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  mapping: fc.nat(2),
  isFolded: fc.boolean(),
});
type PlainLabel = { key: string; str: string } | { key: string; num: bigint; unit: string };
const label: fc.Arbitrary<PlainLabel> = fc.oneof(
  fc.record({ key: name, str: name }),
  fc.record({
    key: name,
    num: fc.bigInt({ min: -2n, max: 2n ** 62n }),
    unit: fc.constantFrom('', 'bytes'),
  }),
);
const sample = fc.record({
  stack: fc.array(fc.nat(7), { maxLength: 6 }),
  values: fc.array(value, { minLength: 6, maxLength: 6 }),
  labels: fc.oneof(
    { weight: 3, arbitrary: fc.constant<PlainLabel[]>([]) },
    { weight: 1, arbitrary: fc.array(label, { maxLength: 3 }) },
  ),
});
const pprof = fc.record({
  typeCount: fc.integer({ min: 1, max: 6 }),
  functions: fc.array(fc.record({ name, file: name, start: fc.nat(3) }), {
    minLength: 6,
    maxLength: 6,
  }),
  locations: fc.array(location, { minLength: 8, maxLength: 8 }),
  samples: fc.array(sample, { maxLength: 12 }),
  comments: fc.array(name, { maxLength: 2 }),
});
type PlainPprof = typeof pprof extends fc.Arbitrary<infer T> ? T : never;

function encode(plain: PlainPprof, startNs: bigint): Uint8Array {
  const strings = new StringTable();
  const s = (text: string): number => strings.dedup(text);
  return new Profile({
    sampleType: Array.from(
      { length: plain.typeCount },
      (_, i) => new ValueType({ type: s(`t${i}`), unit: s('u') }),
    ),
    function: plain.functions.map(
      (f, i) =>
        new PprofFunction({
          id: i + 1,
          name: s(f.name),
          systemName: s(f.name),
          filename: s(f.file),
          startLine: f.start,
        }),
    ),
    mapping: [
      new Mapping({
        id: 1,
        memoryStart: 4096,
        memoryLimit: 8192,
        fileOffset: 64,
        filename: s('/bin/x'),
        buildId: s('b1'),
      }),
      new Mapping({
        id: 2,
        memoryStart: 2n ** 63n,
        memoryLimit: 2n ** 63n + 9n,
        filename: s('/lib/y'),
      }),
    ],
    location: plain.locations.map(
      (l, i) =>
        new Location({
          id: i + 1,
          address: l.address,
          mappingId: l.mapping,
          isFolded: l.isFolded,
          line: l.lines.map((x) => new Line({ functionId: x.fn + 1, line: x.line })),
        }),
    ),
    sample: plain.samples.map(
      (x) =>
        new Sample({
          locationId: x.stack.map((i) => i + 1),
          value: x.values.slice(0, plain.typeCount),
          label: x.labels.map((l) =>
            'str' in l
              ? new Label({ key: s(l.key), str: s(l.str) })
              : new Label({ key: s(l.key), num: l.num, numUnit: s(l.unit) }),
          ),
        }),
    ),
    comment: plain.comments.map(s),
    stringTable: strings,
    timeNanos: startNs,
    durationNanos: 5n,
    period: 7,
    periodType: new ValueType({ type: s('p'), unit: s('u') }),
  }).encode();
}

it('what was sent is what the log holds, stack by stack (I3, I5)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(pprof, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 7 }),
      async (profiles, sealAfter) => {
        const store = await openTestIngest(new LossyFiles(), { settings: { internBytesMax: 1 } });
        const bodies = profiles.map((p, i) => encode(p, 1_600_000_000_000_000_000n + BigInt(i)));
        const sent: Promise<{ samples: number }>[] = [];
        for (const [i, profile] of bodies.entries()) {
          const pod = { name: 'pod', value: `p${i % 3}` };
          sent.push(store.ingest.write('t', { labels: [pod], profile }));
          if (i === sealAfter) await store.ingest.seal();
        }
        const results = await Promise.all(sent);
        const stored = await store.stored();
        bodies.forEach((body, i) => {
          const want = readPprof(body);
          const groups = stored
            .filter((p) => p.startNs === want.timeNs)
            .sort((a, b) => a.group - b.group);
          expect(groups.flatMap((g) => g.types)).toEqual(want.types);
          const rows = want.types.map((_, t) => want.rows(t));
          expect(groups.flatMap((g) => g.rows)).toEqual(rows);
          expect(results[i]?.samples).toBe(rows.reduce((sum, r) => sum + r.size, 0));
          expect(groups[0]).toMatchObject({
            durationNs: 5n,
            period: 7n,
            flags: 0,
            comments: want.comments,
          });
        });
        await store.ingest.close();
      },
    ),
    { numRuns: 60 },
  );
});
