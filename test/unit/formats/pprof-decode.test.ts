import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/base/limits.js';
import { StoreError } from '../../../src/base/errors.js';
import { PprofDecoder } from '../../../src/formats/pprof/decode.js';
import { plainOfOurs, plainOfTheirs } from '../../support/decoded-pprof.js';
import { encodeFields, len, num, varint, type WireField } from '../../support/wire-fields.js';

const SHARED = join(import.meta.dirname, '../../../../shared');
const FIXTURES = join(SHARED, 'fixtures/pprof');
const CORPUS = join(SHARED, 'corpus');

function filesBelow(directory: string, ending: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(directory, name));
}

const STRINGS = ['', 'cpu', 'nanoseconds', 'main', 'main.go', 'key', 'text', 'bytes'];

function strings(list: readonly string[] = STRINGS): WireField[] {
  return list.map((text) => len(6, text));
}

/** One sample type, one function, one location; `more` after them, the strings last. */
function profile(more: readonly WireField[], list: readonly string[] = STRINGS): Uint8Array {
  return encodeFields([
    len(1, num(1, 1), num(2, 2)),
    len(5, num(1, 1), num(2, 3), num(4, 4)),
    len(4, num(1, 1), len(4, num(1, 1), num(2, 42))),
    ...more,
    ...strings(list),
  ]);
}

const SAMPLE = len(2, len(1, varint(1)), len(2, varint(7)));

function errorOf(work: () => unknown): StoreError {
  try {
    work();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('no error');
}

function reasons(body: Uint8Array): Record<string, number> {
  const { rejections } = new PprofDecoder().decode(body);
  return Object.fromEntries(rejections.map(({ reason, count }) => [reason, count]));
}

describe('real profiles', () => {
  const names = [
    ...filesBelow(FIXTURES, '.pb.gz'),
    ...filesBelow(join(FIXTURES, 'delta-pairs'), '.pprof'),
    ...filesBelow(CORPUS, '.pb.gz').filter((_, index) => index % 90 === 0),
  ];

  it.skipIf(names.length === 0)('read as pprof-format reads them', () => {
    const decoder = new PprofDecoder();
    for (const name of names) {
      const body = readFileSync(name);
      const plain = body[0] === 0x1f ? gunzipSync(body) : body;
      const ours = plainOfOurs(decoder.decode(body));
      // Not toEqual: its comparison of deep values takes a minute.
      const text = (value: unknown): string =>
        JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));
      expect(text(ours) === text(plainOfTheirs(plain)), name).toBe(true);
      expect(decoder.decode(body).rejections, name).toEqual([]);
    }
  });

  it.skipIf(!existsSync(FIXTURES))('legacy formats are named', () => {
    const named = filesBelow(join(FIXTURES, 'google'), '')
      .filter((name) => !name.endsWith('.string'))
      .map((name) => {
        const { code, message } = errorOf(() => new PprofDecoder().decode(readFileSync(name)));
        return `${code} ${/looks like ([^)]*)/.exec(message)?.[1]}`;
      });
    expect(named.filter((text) => !/^PS_PPROF_NOT_PPROF the legacy /.test(text))).toEqual([]);
  });

  it.skipIf(!existsSync(FIXTURES))('fuzz findings of others give an error or a profile', () => {
    for (const name of filesBelow(join(FIXTURES, 'malformed'), '')) {
      const body = goFuzzBytes(readFileSync(name, 'utf8'));
      try {
        new PprofDecoder().decode(body);
      } catch (error) {
        expect(error).toBeInstanceOf(StoreError);
      }
    }
  });
});

/** The literal of Go's fuzz corpus: `[]byte("...")` with Go's escapes. */
function goFuzzBytes(text: string): Uint8Array {
  const literal = /\[\]byte\("((?:[^"\\]|\\.)*)"\)/.exec(text)?.[1] ?? '';
  const simple: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
  const out: Uint8Array[] = [];
  for (const [part] of literal.matchAll(/\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\.|[^\\]/g)) {
    if (part.startsWith('\\x')) out.push(Uint8Array.of(Number.parseInt(part.slice(2), 16)));
    else if (part.startsWith('\\u')) out.push(Buffer.from(JSON.parse(`"${part}"`) as string));
    else if (part[0] === '\\') out.push(Uint8Array.of(simple[part[1] ?? ''] ?? part.charCodeAt(1)));
    else out.push(Buffer.from(part));
  }
  return Buffer.concat(out);
}

describe('fields', () => {
  it('the last value of a number wins, also from a second gzip member', () => {
    const first = profile([SAMPLE, num(9, 5), num(9, 6)]);
    expect(new PprofDecoder().decode(first).timeNs).toBe(6n);
    const body = Buffer.concat([gzipSync(first), gzipSync(encodeFields([num(9, -7)]))]);
    const decoded = new PprofDecoder().decode(body);
    expect(decoded.timeNs).toBe(-7n);
    expect(decoded.sampleCount).toBe(1);
  });

  it('samples before everything, strings in two parts', () => {
    const body = encodeFields([
      SAMPLE,
      ...strings(STRINGS.slice(0, 3)),
      len(4, num(1, 1), len(4, num(1, 1), num(2, 42))),
      len(5, num(1, 1), num(2, 3), num(4, 4)),
      len(1, num(1, 1), num(2, 2)),
      ...strings(STRINGS.slice(3)),
    ]);
    const sound = new PprofDecoder().decode(profile([SAMPLE]));
    expect(plainOfOurs(new PprofDecoder().decode(body))).toEqual(plainOfOurs(sound));
  });

  it('unknown fields of every wire type are skipped', () => {
    const unknown: WireField[] = [
      num(100, 5),
      { field: 101, wireType: 1, value: new Uint8Array(8) },
      len(102, 'text'),
      { field: 103, wireType: 5, value: new Uint8Array(4) },
      num(2 ** 28, 1),
    ];
    const sample = len(2, ...unknown, len(1, varint(1)), len(2, varint(7)), ...unknown);
    const sound = new PprofDecoder().decode(profile([SAMPLE]));
    const decoded = new PprofDecoder().decode(profile([...unknown, sample, ...unknown]));
    expect(plainOfOurs(decoded)).toEqual(plainOfOurs(sound));
  });

  it.each([
    ['a group', [{ field: 100, wireType: 3, value: new Uint8Array(0) }]],
    ['wire type 7', [{ field: 100, wireType: 7, value: new Uint8Array(0) }]],
    ['field number 0', [num(0, 1)]],
    ['a known field of another type', [num(2, 1)]],
    ['a time of another type', [len(9, 'text')]],
  ] as [string, WireField[]][])('%s is refused', (_, fields) => {
    expect(errorOf(() => new PprofDecoder().decode(profile(fields))).code).toBe(
      'PS_PPROF_NOT_PPROF',
    );
  });

  it('64-bit numbers are exact', () => {
    const min = -(2n ** 63n);
    const max = 2n ** 63n - 1n;
    const body = encodeFields([
      len(1, num(1, 1), num(2, 2)),
      len(1, num(1, 1), num(2, 2)),
      len(3, num(1, 2n ** 64n - 1n), num(2, 2n ** 63n), num(3, 2n ** 64n - 1n), num(4, 1)),
      len(5, num(1, 2n ** 53n + 1n), num(2, 3), num(5, min)),
      len(5, num(1, 2n ** 53n + 2n), num(2, 4)),
      len(
        4,
        num(1, 2n ** 63n),
        num(2, 2n ** 64n - 1n),
        num(3, 2n ** 64n - 2n),
        len(4, num(1, 2n ** 53n + 1n), num(2, max), num(3, -1)),
      ),
      len(2, num(1, 2n ** 63n), num(2, min), num(2, max)),
      num(9, max),
      num(10, min),
      ...strings(),
    ]);
    const { samples, timeNs, durationNs } = plainOfOurs(new PprofDecoder().decode(body));
    expect({ samples, timeNs, durationNs }).toEqual({
      timeNs: max,
      durationNs: min,
      samples: [
        {
          values: [min, max],
          labels: [],
          locations: [
            {
              address: 2n ** 64n - 2n,
              folded: false,
              mapping: {
                start: 2n ** 63n,
                limit: 2n ** 64n - 1n,
                offset: 1n,
                file: '',
                buildId: '',
              },
              lines: [
                { name: 'main', systemName: '', file: '', startLine: min, line: max, column: -1n },
              ],
            },
          ],
        },
      ],
    });
  });

  it('empty stacks, labels with number 0, empty text, and both text and number', () => {
    const labels = [
      len(3, num(1, 5)),
      len(3, num(1, 5), num(3, 0), num(4, 7)),
      len(3, num(1, 5), num(2, 8)),
      len(3, num(1, 5), num(2, 6), num(3, 9), num(4, 7)),
      len(3, num(1, 5), num(2, 3)),
    ];
    const body = profile([len(2, num(2, 1), ...labels)], [...STRINGS, '']);
    const [sample] = plainOfOurs(new PprofDecoder().decode(body)).samples;
    expect(sample).toEqual({
      locations: [],
      values: [1n],
      labels: [
        ['key', null, 0n, ''],
        ['key', null, 0n, 'bytes'],
        ['key', '', 0n, ''],
        ['key', 'text', 0n, ''],
        ['key', 'main', 0n, ''],
      ],
    });
  });

  it('strings that are not UTF-8 are replaced, a byte order mark stays', () => {
    const body = encodeFields([
      len(1, num(1, 1), num(2, 2)),
      num(13, 1),
      num(13, 2),
      len(6),
      len(6, Uint8Array.of(0x61, 0xff, 0x62)),
      len(6, '\ufeffx'),
    ]);
    expect(plainOfOurs(new PprofDecoder().decode(body)).comments).toEqual(['a\ufffdb', '\ufeffx']);
  });

  it("an answer is the decoder's, and a large profile leaves no trace in a small one", () => {
    const decoder = new PprofDecoder();
    const many = Array.from({ length: 30_000 }, (_, i) =>
      len(2, len(1, varint(1), varint(1)), len(2, varint(i)), len(3, num(1, 5), num(3, i))),
    );
    expect(decoder.decode(profile(many)).sampleCount).toBe(30_000);
    const small = decoder.decode(profile([SAMPLE]));
    expect(plainOfOurs(small)).toEqual(plainOfOurs(new PprofDecoder().decode(profile([SAMPLE]))));
  });
});

describe('packed ids', () => {
  it('of every length, in lists of every length, at every place', () => {
    const ids = [1n, 2n, 127n, 128n, 300n, 16_383n, 16_384n, 2n ** 31n, 2n ** 33n, 2n ** 63n];
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    // Mostly short ones, as in real profiles, so that runs of them of all lengths come.
    const samples = Array.from({ length: 600 }, (_, i) => {
      const stack = Array.from({ length: i % 41 }, () => ids[random(i % 3 === 0 ? 10 : 5)]!);
      return len(2, len(1, ...stack.map(varint)), len(2, varint(i)));
    });
    const body = encodeFields([
      len(1, num(1, 1), num(2, 2)),
      len(5, num(1, 1), num(2, 3)),
      ...ids.map((id) => len(4, num(1, id), num(3, id))),
      ...samples,
      ...strings(),
    ]);
    expect(plainOfOurs(new PprofDecoder().decode(body))).toEqual(plainOfTheirs(body));
  });
});

describe('memory', () => {
  it('is not there for everything that the limits allow: such a profile is refused, and the next one taken', () => {
    const sample = new Uint8Array(2 * 54_000_000 + 3);
    for (let at = 0; at < sample.length - 3; at += 2) sample[at] = 0x1a;
    sample.set([0x12, 1, 7], sample.length - 3);
    const decoder = new PprofDecoder();
    const error = errorOf(() => decoder.decode(profile([len(2, sample)])));
    expect([error.code, error.message]).toEqual([
      'PS_PPROF_TOO_LARGE',
      expect.stringContaining('there is no memory'),
    ]);
    expect(plainOfOurs(decoder.decode(profile([SAMPLE])))).toEqual(
      plainOfOurs(new PprofDecoder().decode(profile([SAMPLE]))),
    );
  });
});

describe('what is too much of one sample is cut, and its values stay', () => {
  const MAX = LIMITS.stackDepthMax;
  /** Leaf first: `cut` entries of location 2, then `kept` of location 1. */
  const stack = (cut: number, kept: number): Uint8Array =>
    Uint8Array.from({ length: cut + kept }, (_, i) => (i < cut ? 2 : 1));
  const unpacked = (entries: Uint8Array): WireField[] => [...entries].map((id) => num(1, id));
  const inlined = (lines: number): WireField =>
    len(4, num(1, 3), ...Array.from({ length: lines }, () => len(4, num(1, 1))));
  const two = len(4, num(1, 2), num(3, 0xbad));
  it.each([
    ['a stack', [two, len(2, len(1, stack(1, MAX)), num(2, 7))], MAX],
    ['a stack in single fields', [two, len(2, ...unpacked(stack(9, MAX)), num(2, 7))], MAX],
    ['a stack of very many', [two, len(2, len(1, stack(MAX * 11, MAX)), num(2, 7))], MAX],
    [
      'a stack with long ids',
      [
        len(4, num(1, 2n ** 60n), num(3, 0xbad)),
        len(2, len(1, ...repeated(varint(2n ** 60n), MAX), stack(0, MAX)), num(2, 7)),
      ],
      MAX,
    ],
    [
      'a stack with inlined frames',
      [two, inlined(9), len(2, len(1, stack(3, 1), Uint8Array.of(3), repeat3(MAX / 9)), num(2, 7))],
      Math.floor(MAX / 9),
    ],
  ] as [string, WireField[], number][])('%s', (_, fields, kept) => {
    const decoded = new PprofDecoder().decode(profile([...fields, SAMPLE]));
    expect(decoded.rejections).toMatchObject([{ reason: 'PS_PPROF_STACK_DEPTH', count: 1 }]);
    const [cut, sound] = plainOfOurs(decoded).samples;
    expect(cut?.values).toEqual([7n]);
    expect(cut?.locations).toHaveLength(kept);
    expect(cut?.locations.some((l) => l.address === 0xbadn)).toBe(false);
    const alone = new PprofDecoder().decode(profile([SAMPLE]));
    expect(sound).toEqual(plainOfOurs(alone).samples[0]);
  });

  it('labels: the first stay', () => {
    const labels = Array.from({ length: LIMITS.labelsPerSampleMax + 3 }, (_, i) =>
      len(3, num(1, 5), num(3, i)),
    );
    const decoded = new PprofDecoder().decode(profile([len(2, num(2, 7), ...labels), SAMPLE]));
    expect(decoded.rejections).toMatchObject([{ reason: 'PS_PPROF_SAMPLE_LABELS', count: 1 }]);
    const [cut] = plainOfOurs(decoded).samples;
    expect(cut?.values).toEqual([7n]);
    expect(cut?.labels.map(([, , number]) => Number(number))).toEqual(
      Array.from({ length: LIMITS.labelsPerSampleMax }, (_, i) => i),
    );
  });

  function repeated(bytes: Uint8Array, count: number): Uint8Array[] {
    return Array.from({ length: count }, () => bytes);
  }

  function repeat3(count: number): Uint8Array {
    return new Uint8Array(Math.floor(count)).fill(3);
  }
});

describe('damage', () => {
  const KEPT = SAMPLE;
  const other = (...fields: (WireField | Uint8Array)[]): WireField => len(2, ...fields);
  it.each([
    ['no value', [other(num(1, 1))], { PS_PPROF_SAMPLE_VALUES: 1 }],
    ['two values', [other(num(1, 1), num(2, 1), num(2, 2))], { PS_PPROF_SAMPLE_VALUES: 1 }],
    ['location missing', [other(num(1, 9), num(2, 1))], { PS_PPROF_LOCATION_MISSING: 1 }],
    ['location 0', [other(num(1, 0), num(2, 1))], { PS_PPROF_LOCATION_MISSING: 1 }],
    [
      'wide location missing',
      [other(num(1, 2n ** 40n), num(2, 1))],
      { PS_PPROF_LOCATION_MISSING: 1 },
    ],
    [
      'function missing',
      [
        len(4, num(1, 2), len(4, num(1, 9))),
        other(num(1, 2), num(2, 1)),
        other(num(1, 1), num(1, 2), num(2, 1)),
      ],
      { PS_PPROF_FUNCTION_MISSING: 1, PS_PPROF_LOCATION_MISSING: 2 },
    ],
    ['mapping missing', [len(4, num(1, 2), num(2, 9))], { PS_PPROF_MAPPING_MISSING: 1 }],
    ['id 0', [len(4, num(3, 5)), len(5, num(2, 3)), len(3, num(5, 3))], { PS_PPROF_ID_ZERO: 3 }],
    [
      'ids twice',
      [len(4, num(1, 1), num(3, 5)), len(5, num(1, 1)), len(3, num(1, 1)), len(3, num(1, 1))],
      { PS_PPROF_ID_DUPLICATE: 3 },
    ],
    [
      'string index of a function',
      [
        len(5, num(1, 2), num(2, 99)),
        len(4, num(1, 2), len(4, num(1, 2))),
        other(num(1, 2), num(2, 1)),
      ],
      { PS_PPROF_FUNCTION_MISSING: 1, PS_PPROF_LOCATION_MISSING: 1, PS_PPROF_STRING_INDEX: 1 },
    ],
    [
      'string indexes elsewhere',
      [len(3, num(1, 1), num(5, 99)), num(7, 99), num(13, -1), len(11, num(1, 2n ** 40n))],
      { PS_PPROF_STRING_INDEX: 4 },
    ],
    [
      'comments',
      Array.from({ length: LIMITS.commentsMax + 3 }, () => num(13, 5)),
      { PS_PPROF_COMMENTS: 3 },
    ],
  ] as [string, WireField[], Record<string, number>][])(
    '%s: the rest is kept',
    (_, fields, expected) => {
      const body = profile([KEPT, ...fields, KEPT]);
      const decoder = new PprofDecoder();
      const decoded = decoder.decode(body);
      expect(Object.fromEntries(decoded.rejections.map((r) => [r.reason, r.count]))).toEqual(
        expected,
      );
      const sound = plainOfOurs(new PprofDecoder().decode(profile([KEPT, KEPT]))).samples;
      expect(plainOfOurs(decoder.decode(body)).samples).toEqual(sound);
    },
  );

  it('a label with a bad string goes, its sample and its other labels stay', () => {
    const sample = len(
      2,
      num(2, 1),
      len(3, num(1, 99), num(3, 1)),
      len(3, num(1, 5), num(2, 2n ** 33n)),
      len(3, num(1, 5), num(3, 4)),
    );
    const body = profile([sample, len(2, num(1, 9), num(2, 3), len(3, num(1, 5))), sample]);
    const { samples } = plainOfOurs(new PprofDecoder().decode(body));
    const kept = { locations: [], values: [1n], labels: [['key', null, 4n, '']] };
    expect(samples).toEqual([kept, kept]);
    expect(reasons(body)).toEqual({ PS_PPROF_LOCATION_MISSING: 1, PS_PPROF_STRING_INDEX: 4 });
  });

  it('text at index 0 reads as empty', () => {
    const body = profile([SAMPLE], ['zero', ...STRINGS.slice(1)]);
    expect(reasons(body)).toEqual({ PS_PPROF_STRING_ZERO: 1 });
    const [sample] = plainOfOurs(new PprofDecoder().decode(body)).samples;
    expect(sample?.locations[0]?.lines[0]?.systemName).toBe('');
  });

  it('a string past the limit is cut between characters', () => {
    const body = profile(
      [num(13, 8)],
      [...STRINGS, `a${'\u00e9'.repeat(LIMITS.stringBytesMax / 2)}`],
    );
    expect(reasons(body)).toEqual({ PS_PPROF_STRING_LENGTH: 1 });
    const [comment] = plainOfOurs(new PprofDecoder().decode(body)).comments;
    expect(comment).toBe(`a${'\u00e9'.repeat(LIMITS.stringBytesMax / 2 - 1)}`);
  });

  it('dropped lines, mappings and functions leave the others in place', () => {
    const body = encodeFields([
      len(1, num(1, 1), num(2, 2)),
      len(3, num(5, 3)),
      len(3, num(1, 7), num(2, 11), num(5, 4)),
      len(5, num(1, 5), num(2, 99)),
      len(5, num(1, 6), num(2, 3), num(5, 12)),
      len(4, num(1, 3), len(4, num(1, 5), num(2, 1)), len(4, num(1, 6), num(2, 2))),
      len(
        4,
        num(1, 4),
        num(2, 7),
        num(3, 13),
        num(5, 1),
        len(4, num(1, 6), num(2, 3)),
        len(4, num(1, 6), num(2, 4)),
      ),
      len(2, num(1, 3), num(2, 1)),
      len(2, num(1, 4), num(2, 2)),
      ...strings(),
    ]);
    const line = { name: 'main', systemName: '', file: '', startLine: 12n, column: 0n };
    expect(plainOfOurs(new PprofDecoder().decode(body)).samples).toEqual([
      {
        values: [2n],
        labels: [],
        locations: [
          {
            address: 13n,
            folded: true,
            mapping: { start: 11n, limit: 0n, offset: 0n, file: 'main.go', buildId: '' },
            lines: [
              { ...line, line: 3n },
              { ...line, line: 4n },
            ],
          },
        ],
      },
    ]);
  });
});

describe('what is no pprof', () => {
  it.each([
    ['', 'no bytes'],
    ['  \n', 'nothing but blanks'],
    ['<!DOCTYPE html><html>', 'an HTML or XML page'],
    ['{"nodes":[{"id":1}]}', 'JSON of a V8 profile'],
    ['{"head":{"callFrame":{}}}', 'JSON of a V8 profile'],
    ['{"a":1}', 'JSON'],
    ['main;foo;bar 12\nmain;baz 3\n', 'folded stacks'],
    ['heap profile: 1: 2 [3: 4] @ heap/1', 'the legacy text format of heap profiles'],
    ['--- contentionz 1 ---\n', 'the legacy text format of contention profiles'],
    ['goroutine profile: total 12\n', "Go's text format (ask for it without debug=1)"],
    ['goroutine 1 [running]:\n', "Go's goroutine dump (ask for it without debug=2)"],
    ['FLR\0\0\x02', 'a Java Flight Recorder file'],
    ['\x7fELF\x02', 'an ELF file'],
    ['hello world', 'text that begins "hello world"'],
    ['PAR1....', 'a Parquet file'],
  ])('%j looks like %s', (text, name) => {
    const error = errorOf(() => new PprofDecoder().decode(Buffer.from(text, 'latin1')));
    expect([error.kind, error.code]).toEqual(['invalid', 'PS_PPROF_NOT_PPROF']);
    expect(error.message).toContain(`(it looks like ${name})`);
  });

  it.skipIf(!existsSync(SHARED))('OTLP is recognised', () => {
    const body = readFileSync(join(SHARED, 'fixtures/otlp/profile-v1.9-layout.otlp'));
    expect(errorOf(() => new PprofDecoder().decode(body)).message).toContain('OTLP');
  });

  it('a message without sample types, and one without strings', () => {
    expect(errorOf(() => new PprofDecoder().decode(encodeFields([num(9, 5)]))).message).toContain(
      'no sample type',
    );
    const body = encodeFields([len(1, num(1, 1))]);
    expect(errorOf(() => new PprofDecoder().decode(body)).message).toContain('no string table');
  });

  it('ids made to collide are an error, not a slow server', () => {
    // Unsigned 64-bit ids whose halves hash to the same slot: found by trying, as a sender would.
    const hash = (low: number, high: number): number => hashPairForTest(low, high) & 0xffff;
    const locations: WireField[] = [];
    for (let low = 1; locations.length < 400 && low < 60_000_000; low++) {
      if (hash(low, 1) === 7) locations.push(len(4, num(1, (1n << 32n) | BigInt(low))));
    }
    const samples = len(2, len(2, varint(1)));
    const body = profile([...locations, samples]);
    expect(errorOf(() => new PprofDecoder().decode(body)).code).toBe('PS_PPROF_IDS');
  });
});

function mix(value: number): number {
  let h = value | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** base/hash.ts's hashPair, written out: the test must not follow a change of it unseen. */
function hashPairForTest(a: number, b: number): number {
  return mix(Math.imul(a, 0x9e3779b1) ^ (Math.imul(b, 0x85ebca77) + (a >>> 15)));
}
