import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { PprofDecoder } from '../../../src/formats/pprof/decode.js';
import type { DecodedPprof } from '../../../src/formats/pprof/decoded.js';
import { Interner } from '../../../src/symbols/intern-pprof.js';
import { type PlainSample, plainOfOurs } from '../../support/decoded-pprof.js';
import { encodeFields, len, num, varint, type WireField } from '../../support/wire-fields.js';

const CORPUS = join(import.meta.dirname, '../../../../shared/corpus');

/** Frames root first, then labels: what a key must say of a sample. */
function wanted({ locations, labels }: PlainSample): string {
  const frames = locations.toReversed().flatMap((location) => {
    const { mapping, address, folded, lines } = location;
    const place = `${mapping?.file ?? ''}|${mapping?.buildId ?? ''}`;
    if (lines.length === 0) return [`|||0|${place}|${address}|${folded}|false`];
    return lines.toReversed().map((line, i) => {
      const isSymbolized = line.name !== '' || line.systemName !== '';
      const at = isSymbolized ? 0n : address;
      return `${line.name}|${line.systemName}|${line.file}|${line.line}|${place}|${at}|${folded}|${i > 0}`;
    });
  });
  const texts = labels.map(([key, text, number, unit]) => `${key}=${text ?? `${number}${unit}`}`);
  return `${frames.join(' ')} {${texts.sort().join()}}`;
}

/** The same of a key, read from the tables; its label set as the texts that it was first met with. */
function framesOf(interner: Interner, key: number): string {
  const { keyNodes, nodeParents, nodeFrames } = interner.tables;
  const frames: string[] = [];
  for (let node = keyNodes.data[key]!; node !== 0; node = nodeParents.data[node]!) {
    const f = interner.frames.frame(nodeFrames.data[node]!);
    const place = `${f.mappingFile}|${f.buildId}`;
    frames.unshift(
      `${f.functionName}|${f.systemName}|${f.fileName}|${f.line}|${place}|${f.address}|${f.folded}|${f.inlined}`,
    );
  }
  return frames.join(' ');
}

/** Interns `profiles` one after the other: each sample has the key of its stack and labels, and no other. */
function check(profiles: Iterable<DecodedPprof>): Interner {
  const interner = new Interner();
  const keyOf = new Map<string, number>();
  const contentOf = new Map<number, string>();
  for (const pprof of profiles) {
    const { samples } = plainOfOurs(pprof);
    const keys = interner.internSamples(pprof);
    samples.forEach((sample, s) => {
      const content = wanted(sample);
      const key = keys[s]!;
      if (!keyOf.has(content)) {
        keyOf.set(content, key);
        expect(framesOf(interner, key)).toBe(content.slice(0, content.lastIndexOf(' {')));
      }
      expect(keyOf.get(content) === key, content).toBe(true);
      if (!contentOf.has(key)) contentOf.set(key, content);
      expect(contentOf.get(key) === content, content).toBe(true);
    });
  }
  expect(interner.keyCount).toBe(keyOf.size);
  return interner;
}

function lcg(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Symbols in any order, some alike under two ids, stacks that repeat, grow, or are empty; labels of all kinds. */
function randomProfile(random: (below: number) => number, size: number): Uint8Array {
  const texts = [
    '',
    'cpu',
    'ns',
    ...Array.from({ length: size }, (_, i) => `f${'x'.repeat(i % 40)}${i}`),
  ];
  const text = (): number => random(texts.length);
  const functions = Array.from({ length: size }, (_, i) =>
    len(
      5,
      num(1, i + 1),
      num(2, random(9) === 0 ? 0 : text()),
      num(3, text()),
      num(4, text()),
      num(5, random(3)),
    ),
  );
  const locations = Array.from({ length: size }, (_, i): WireField => {
    const lines = Array.from({ length: random(4) }, () =>
      len(4, num(1, random(size) + 1), num(2, BigInt(random(9)) - 4n), num(3, random(2))),
    );
    return len(
      4,
      num(1, i + 1),
      num(2, random(4)),
      num(3, 2n ** 60n + BigInt(random(size))),
      ...lines,
      num(5, random(2)),
    );
  });
  const stacks = Array.from({ length: size }, () =>
    Array.from({ length: random(60) }, () => random(size) + 1),
  );
  const samples = Array.from({ length: size * 2 }, () => {
    const labels = Array.from({ length: random(8) === 0 ? random(4) : 0 }, () =>
      random(2) === 0
        ? len(3, num(1, 3), num(2, text()))
        : len(3, num(1, 4), num(3, -random(3)), num(4, 2)),
    );
    return len(
      2,
      len(1, ...stacks[random(size)]!.map((id) => varint(id))),
      len(2, varint(1)),
      ...labels,
    );
  });
  const mappings = [1, 2, 3].map((id) =>
    len(3, num(1, id), num(2, id), num(5, id), num(6, random(2))),
  );
  const order = [...mappings, ...functions, ...locations, ...samples];
  return encodeFields([len(1, num(1, 1), num(2, 2)), ...order, ...texts.map((t) => len(6, t))]);
}

describe('Interner', () => {
  it('gives one key to each stack with its labels, and one stack to each key, while all tables grow', () => {
    const random = lcg(7);
    const decoder = new PprofDecoder();
    const sizes = [1, 3, 40, 200, 900, 2, 3_000, 500, 60];
    const interner = check(
      (function* profiles() {
        for (const size of sizes) yield decoder.decode(randomProfile(random, size));
      })(),
    );
    const { functions, frames, nodeParents, keyNodes } = interner.tables;
    for (const table of [functions, frames, nodeParents, keyNodes]) {
      expect(table.count).toBeGreaterThan(4_000);
    }
  });

  it('knows a profile again, in another order of its symbols', () => {
    const decoder = new PprofDecoder();
    const body = randomProfile(lcg(11), 300);
    const interner = check([decoder.decode(body)]);
    const { keyCount } = interner;
    const nodes = interner.tables.nodeParents.count;
    interner.internSamples(decoder.decode(body));
    expect([interner.keyCount, interner.tables.nodeParents.count]).toEqual([keyCount, nodes]);
  });

  it.skipIf(!existsSync(CORPUS))('recorded profiles', () => {
    const decoder = new PprofDecoder();
    const names = readdirSync(CORPUS, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.pb.gz'))
      .sort()
      .filter((_, index) => index % 40 === 0);
    check(
      (function* profiles() {
        for (const name of names) yield decoder.decode(readFileSync(join(CORPUS, name)));
      })(),
    );
  });

  it('is to be given up when a large profile left much memory behind', () => {
    const decoder = new PprofDecoder();
    const interner = new Interner();
    const small = randomProfile(lcg(17), 50);
    const large = Buffer.concat([small, encodeFields([len(100, new Uint8Array(80 << 20))])]);
    interner.internSamples(decoder.decode(small));
    expect(interner.tables.isOversized).toBe(false);
    interner.internSamples(decoder.decode(large));
    expect(interner.tables.isOversized).toBe(false);
    interner.internSamples(decoder.decode(small));
    expect(interner.tables.isOversized).toBe(true);
  });

  it('refuses a profile that has no room, and takes the next one', () => {
    const decoder = new PprofDecoder();
    const interner = new Interner();
    const sound = decoder.decode(randomProfile(lcg(13), 50));
    // 2^28 labels take 20 bytes each: more than WebAssembly's memory has.
    const sampleFirstLabel = Int32Array.from({ length: sound.sampleCount + 1 }, () => 2 ** 28);
    const huge = Object.assign(Object.create(sound) as DecodedPprof, { sampleFirstLabel });
    let code = '';
    try {
      interner.internSamples(huge);
    } catch (error) {
      if (error instanceof StoreError) code = error.code;
    }
    expect(code).toBe('PS_PPROF_TOO_LARGE');
    expect(interner.tables.isBroken).toBe(false);
    const keys = interner.internSamples(sound);
    plainOfOurs(sound).samples.forEach((sample, s) => {
      expect(wanted(sample).startsWith(framesOf(interner, keys[s]!))).toBe(true);
    });
  });
});
