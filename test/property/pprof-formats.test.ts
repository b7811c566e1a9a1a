/** The pprof decoder and encoder against pprof-format, over random profiles and random damage. */
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../src/base/errors.js';
import { PprofDecoder } from '../../src/formats/pprof/decode.js';
import { encodePprof, type PprofInput } from '../../src/formats/pprof/encode.js';
import { EMPTY_FRAME, type Frame } from '../../src/model/frame.js';
import type { SampleLabels } from '../../src/model/sample-labels.js';
import { plainOfOurs, plainOfTheirs, type PlainSample } from '../support/decoded-pprof.js';
import {
  decodeFields,
  decodeVarints,
  encodeField,
  encodeFields,
  len,
  num,
  varint,
  type WireField,
} from '../support/wire-fields.js';

const decoder = new PprofDecoder();

// pprof-format reads a byte order mark as nothing.
const text = fc.string({ maxLength: 8, unit: 'grapheme' }).filter((s) => !s.startsWith('\ufeff'));
const int64 = fc.oneof(
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(-200n, 200n),
  fc.constant(0n),
);
const uint64 = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 300n));
/** Dense, sparse and past 2^31, as senders number. */
const id = fc.oneof(fc.bigInt(1n, 20n), fc.bigInt(1n, 2n ** 31n), fc.bigInt(1n, 2n ** 64n - 1n));
const ids = (max: number): fc.Arbitrary<bigint[]> =>
  fc.uniqueArray(id, { minLength: 1, maxLength: max });

const profileBytes: fc.Arbitrary<Uint8Array> = fc
  .record({
    strings: fc.uniqueArray(
      text.filter((s) => s !== ''),
      { minLength: 3, maxLength: 12 },
    ),
    mappingIds: ids(4),
    functionIds: ids(8),
    locationIds: ids(10),
    types: fc.integer({ min: 1, max: 5 }),
  })
  .chain(({ strings, mappingIds, functionIds, locationIds, types }) => {
    const string = fc.integer({ min: 0, max: strings.length });
    const valueType = fc.record({ type: string, unit: string });
    const of = <T>(
      list: readonly bigint[],
      fields: (id: bigint) => fc.Arbitrary<T>,
    ): fc.Arbitrary<T[]> => fc.tuple(...list.map(fields)) as fc.Arbitrary<T[]>;
    return fc
      .record({
        sampleType: fc.array(valueType, { minLength: types, maxLength: types }),
        sample: fc.array(
          fc.record({
            locationId: fc.array(fc.constantFrom(...locationIds), { maxLength: 12 }),
            value: fc.array(int64, { minLength: types, maxLength: types }),
            label: fc.array(
              fc.record(
                { key: string, str: string, num: int64, numUnit: string },
                { requiredKeys: ['key'] },
              ),
              { maxLength: 3 },
            ),
          }),
          { maxLength: 12 },
        ),
        mapping: of(mappingIds, (i) =>
          fc.record({
            id: fc.constant(i),
            memoryStart: uint64,
            memoryLimit: uint64,
            fileOffset: uint64,
            filename: string,
            buildId: string,
            hasFunctions: fc.boolean(),
          }),
        ),
        location: of(locationIds, (i) =>
          fc.record({
            id: fc.constant(i),
            mappingId: fc.oneof(fc.constant(0n), fc.constantFrom(...mappingIds)),
            address: uint64,
            isFolded: fc.boolean(),
            line: fc.array(
              fc.record({
                functionId: fc.constantFrom(...functionIds),
                line: int64,
                column: int64,
              }),
              { maxLength: 3 },
            ),
          }),
        ),
        function: of(functionIds, (i) =>
          fc.record({
            id: fc.constant(i),
            name: string,
            systemName: string,
            filename: string,
            startLine: int64,
          }),
        ),
        dropFrames: string,
        keepFrames: string,
        timeNanos: int64,
        durationNanos: int64,
        periodType: valueType,
        period: int64,
        comment: fc.array(string, { maxLength: 3 }),
        defaultSampleType: string,
        docUrl: string,
      })
      .map((data) => encodeData(data, strings));
  });

interface Data {
  readonly [field: string]: unknown;
}

/** Not by pprof-format's encoder: it miscounts its buffer where a submessage is empty. */
function encodeData(data: Data, strings: readonly string[]): Uint8Array {
  const list = (value: unknown): readonly Data[] => value as readonly Data[];
  const n = (field: number, value: unknown): WireField[] =>
    value === undefined ? [] : [num(field, value as bigint)];
  const packed = (field: number, values: unknown): WireField[] => {
    const numbers = values as readonly bigint[];
    return numbers.length === 0 ? [] : [len(field, ...numbers.map(varint))];
  };
  const valueType = (field: number, t: Data): WireField =>
    len(field, ...n(1, t['type']), ...n(2, t['unit']));
  return encodeFields([
    ...list(data['sampleType']).map((t) => valueType(1, t)),
    ...list(data['sample']).map((s) =>
      len(
        2,
        ...packed(1, s['locationId']),
        ...packed(2, s['value']),
        ...list(s['label']).map((l) =>
          len(3, ...n(1, l['key']), ...n(2, l['str']), ...n(3, l['num']), ...n(4, l['numUnit'])),
        ),
      ),
    ),
    ...list(data['mapping']).map((m) =>
      len(
        3,
        ...n(1, m['id']),
        ...n(2, m['memoryStart']),
        ...n(3, m['memoryLimit']),
        ...n(4, m['fileOffset']),
        ...n(5, m['filename']),
        ...n(6, m['buildId']),
        num(7, m['hasFunctions'] === true ? 1 : 0),
      ),
    ),
    ...list(data['location']).map((l) =>
      len(
        4,
        ...n(1, l['id']),
        ...n(2, l['mappingId']),
        ...n(3, l['address']),
        ...list(l['line']).map((x) =>
          len(4, ...n(1, x['functionId']), ...n(2, x['line']), ...n(3, x['column'])),
        ),
        num(5, l['isFolded'] === true ? 1 : 0),
      ),
    ),
    ...list(data['function']).map((f) =>
      len(
        5,
        ...n(1, f['id']),
        ...n(2, f['name']),
        ...n(3, f['systemName']),
        ...n(4, f['filename']),
        ...n(5, f['startLine']),
      ),
    ),
    ...['', ...strings].map((text) => len(6, text)),
    ...n(7, data['dropFrames']),
    ...n(8, data['keepFrames']),
    ...n(9, data['timeNanos']),
    ...n(10, data['durationNanos']),
    valueType(11, data['periodType'] as Data),
    ...n(12, data['period']),
    ...packed(13, data['comment']),
    ...n(14, data['defaultSampleType']),
    ...n(15, data['docUrl']),
  ]);
}

describe('decoder', () => {
  it('reads as pprof-format reads', () => {
    fc.assert(
      fc.property(profileBytes, (plain) => {
        const decoded = decoder.decode(plain);
        expect(decoded.rejections).toEqual([]);
        expect(plainOfOurs(decoded)).toEqual(plainOfTheirs(plain));
      }),
      { numRuns: 300 },
    );
  });

  it('reads the same from fields in any order, unpacked, among unknown ones', () => {
    fc.assert(
      fc.property(profileBytes, fc.infiniteStream(fc.nat()), (plain, random) => {
        const next = (below: number): number => (random.next().value as number) % below;
        const shuffled = shuffle(decodeFields(plain), next).flatMap((field) => [
          ...(next(4) === 0 ? [num(1_000 + next(9), next(300))] : []),
          field.field === 2 && next(2) === 0 ? unpacked(field) : field,
        ]);
        expect(plainOfOurs(decoder.decode(encodeFields(shuffled)))).toEqual(plainOfTheirs(plain));
      }),
      { numRuns: 200 },
    );
  });

  it('gives a profile or a StoreError for every truncation', () => {
    fc.assert(
      fc.property(profileBytes, (plain) => {
        for (let length = 0; length < Math.min(plain.length, 2_000); length++)
          readOrRefuse(plain.subarray(0, length));
      }),
      { numRuns: 5 },
    );
  });

  it('gives a profile or a StoreError for flipped, removed and repeated bytes', () => {
    fc.assert(
      fc.property(
        profileBytes,
        fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(2)), { minLength: 1, maxLength: 4 }),
        (plain, damage) => {
          let bytes: Uint8Array = plain.slice();
          for (const [at, value, kind] of damage) {
            const index = at % bytes.length;
            if (kind === 0) bytes[index] = value;
            else if (kind === 1)
              bytes = Buffer.concat([
                bytes.subarray(0, index),
                bytes.subarray(index + 1 + (value % 3)),
              ]);
            else
              bytes = Buffer.concat([
                bytes.subarray(0, index),
                bytes.subarray(index - (value % (index + 1))),
              ]);
            if (bytes.length === 0) break;
          }
          readOrRefuse(bytes);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

/** Everything that the answer refers to must exist, which `plainOfOurs` checks by reading it. */
function readOrRefuse(bytes: Uint8Array): void {
  try {
    plainOfOurs(decoder.decode(bytes));
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'invalid') throw error;
  }
}

/** Any order, but for elements of one field: theirs says something. */
function shuffle(fields: readonly WireField[], next: (below: number) => number): WireField[] {
  const byField = [...new Set(fields.map((f) => f.field))].map((n) =>
    fields.filter((f) => f.field === n),
  );
  const out: WireField[] = [];
  while (byField.length > 0) {
    const index = next(byField.length);
    out.push(byField[index]?.shift() as WireField);
    if (byField[index]?.length === 0) byField.splice(index, 1);
  }
  return out;
}

function unpacked(sample: WireField): WireField {
  const parts = decodeFields(sample.value as Uint8Array).flatMap((f) =>
    f.field < 3 && f.wireType === 2
      ? decodeVarints(f.value as Uint8Array).map((v) => num(f.field, v))
      : [f],
  );
  return len(2, ...parts.map(encodeField));
}

const name = fc.constantFrom('', 'main', 'runtime.mallocgc', 'a;b', '\u00fcber');
const file = fc.constantFrom('', '/bin/api', 'main.go');
const small = fc.bigInt(0n, 3n);

/** As ingest makes them: address and range only where there is no name, else not. */
const frame: fc.Arbitrary<Frame> = fc
  .record({
    functionName: name,
    systemName: name,
    fileName: file,
    line: fc.oneof(small, int64),
    column: small,
    startLine: small,
    mappingFile: file,
    buildId: fc.constantFrom('', 'abc'),
    mappingStart: small,
    mappingLimit: small,
    mappingOffset: small,
    address: fc.oneof(small, fc.bigInt(0n, 2n ** 64n - 1n)),
    inlined: fc.boolean(),
    folded: fc.boolean(),
  })
  .map((f) => {
    const place = { mappingStart: 0n, mappingLimit: 0n, mappingOffset: 0n, address: 0n };
    const isNamed = f.functionName !== '' || f.systemName !== '';
    return { ...EMPTY_FRAME, ...f, ...(isNamed ? place : {}) };
  });

const labels: fc.Arbitrary<SampleLabels> = fc.record({
  strings: fc.array(fc.record({ name: text, value: text }), { maxLength: 3 }),
  numbers: fc.array(fc.record({ name: text, value: int64, unit: text }), { maxLength: 2 }),
});

const input: fc.Arbitrary<PprofInput> = fc
  .record({
    frames: fc.array(frame, { minLength: 1, maxLength: 12 }),
    nodes: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 25 }),
    sets: fc.array(labels, { maxLength: 4 }),
    keys: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 }),
    types: fc.array(fc.record({ type: text, unit: text }), { minLength: 1, maxLength: 4 }),
    header: fc.record({
      periodType: text,
      periodUnit: text,
      period: int64,
      timeNs: int64,
      durationNs: int64,
      comments: fc.array(
        text.filter((s) => s !== ''),
        { maxLength: 3 },
      ),
      defaultSampleType: text,
      docUrl: text,
      dropFrames: text,
      keepFrames: text,
      gzipLevel: fc.constantFrom(0, 1, 6),
    }),
    random: fc.infiniteStream(int64),
  })
  .map(({ frames, nodes, sets, keys, types, header, random }) => {
    const nodeCount = nodes.length + 1;
    const allSets = [{ strings: [], numbers: [] }, ...sets];
    return {
      ...header,
      sampleTypes: types,
      symbols: {
        frames: { count: frames.length, frame: (i) => frames[i] as Frame },
        nodes: {
          count: nodeCount,
          parent: Int32Array.from([-1, ...nodes.map(([parent], i) => parent % (i + 1))]),
          frame: Int32Array.from([-1, ...nodes.map(([, f]) => f % frames.length)]),
        },
        keys: {
          node: Int32Array.from(keys, ([node]) => node % nodeCount),
          labelSet: Int32Array.from(keys, ([, set]) => set % allSets.length),
        },
        labelSets: { count: allSets.length, labels: (i) => allSets[i] as SampleLabels },
      },
      key: Int32Array.from(keys, (_, i) => i),
      values: types.map(() => BigInt64Array.from(keys, () => random.next().value as bigint)),
    };
  });

type FlatFrame = readonly unknown[];

/** A frame without what a pprof cannot say of it: whether it is inlined follows from its place in its location. */
function flatFrame(f: Frame): FlatFrame {
  return [
    f.functionName,
    f.systemName,
    f.fileName,
    f.startLine,
    f.line,
    f.column,
    f.mappingFile,
    f.buildId,
    f.folded,
  ];
}

function framesOfInput(
  x: PprofInput,
  key: number,
): { readonly flat: FlatFrame[]; readonly frames: Frame[] } {
  const { nodes, frames, keys } = x.symbols;
  const out: Frame[] = [];
  for (let n = keys.node[key] as number; n > 0; n = nodes.parent[n] as number) {
    out.push(frames.frame(nodes.frame[n] as number));
  }
  return { flat: out.map(flatFrame), frames: out };
}

/** Leaf first. */
function framesOfSample(sample: PlainSample): FlatFrame[] {
  return sample.locations.flatMap((l) => {
    const place = [l.mapping?.file ?? '', l.mapping?.buildId ?? '', l.folded];
    if (l.lines.length === 0) return [['', '', '', 0n, 0n, 0n, ...place]];
    return l.lines.map((f) => [
      f.name,
      f.systemName,
      f.file,
      f.startLine,
      f.line,
      f.column,
      ...place,
    ]);
  });
}

function labelsOf(x: PprofInput, key: number): unknown[] {
  const { strings, numbers } = x.symbols.labelSets.labels(x.symbols.keys.labelSet[key] as number);
  return [
    ...strings.map((l) => [l.name, l.value, 0n, '']),
    ...numbers.map((l) => [l.name, null, l.value, l.unit]),
  ];
}

function sorted(list: readonly unknown[]): string[] {
  return list
    .map((v) => JSON.stringify(v, (_, x: unknown) => (typeof x === 'bigint' ? `${x}n` : x)))
    .sort();
}

describe('encoder', () => {
  it('writes what both decoders read back', () => {
    fc.assert(
      fc.property(input, (x) => {
        const bytes = encodePprof(x);
        const plain = x.gzipLevel === 0 ? bytes : gunzipSync(bytes);
        const decoded = decoder.decode(bytes);
        expect(decoded.rejections).toEqual([]);
        const ours = plainOfOurs(decoded);
        expect(ours).toEqual(plainOfTheirs(plain));
        expect(ours.sampleTypes).toEqual(x.sampleTypes.map((t) => [t.type, t.unit]));
        expect([ours.timeNs, ours.durationNs, ours.period, ours.comments]).toEqual([
          x.timeNs,
          x.durationNs,
          x.period,
          x.comments,
        ]);
        expect(ours.texts).toEqual({
          periodType: x.periodType,
          periodUnit: x.periodUnit,
          dropFrames: x.dropFrames,
          keepFrames: x.keepFrames,
          defaultSampleType: x.defaultSampleType,
          docUrl: x.docUrl,
        });
        expect(ours.samples.length).toBe(x.key.length);
        ours.samples.forEach((sample, i) => {
          expect(framesOfSample(sample)).toEqual(framesOfInput(x, i).flat);
          expect(sample.values).toEqual(x.values.map((column) => column[i]));
          expect(sorted(sample.labels)).toEqual(sorted(labelsOf(x, i)));
        });
      }),
      { numRuns: 300 },
    );
  });

  it('keeps addresses, and folds inlined frames into the location of their caller', () => {
    fc.assert(
      fc.property(input, (x) => {
        const { samples } = plainOfOurs(decoder.decode(encodePprof(x)));
        samples.forEach((sample, i) => {
          const { frames } = framesOfInput(x, i);
          let at = 0;
          for (const location of sample.locations) {
            const mine = frames.slice(at, at + Math.max(1, location.lines.length));
            at += mine.length;
            // All but the outermost of a location were inlined.
            expect(mine.slice(0, -1).every((f) => f.inlined)).toBe(true);
            const bare = mine.find((f) => f.functionName === '' && f.systemName === '');
            expect(location.address).toBe(bare?.address ?? 0n);
            expect(location.mapping?.start ?? 0n).toBe(bare?.mappingStart ?? 0n);
          }
          expect(at).toBe(frames.length);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('gives equal bytes for equal input', () => {
    fc.assert(
      fc.property(input, (x) => {
        expect(Buffer.compare(encodePprof(x), encodePprof(x))).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});
