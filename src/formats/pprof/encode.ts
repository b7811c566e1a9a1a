/**
 * A pprof from symbols and sums by key: the way out of the store. Samples come first and in the order of the keys;
 * locations, functions and strings are numbered as samples use them, so equal input gives equal bytes.
 *
 * Steps: write each key's sample by walking up its stack, *run* by run (encode-symbols.ts); then the tables. Nothing is
 * kept by node or by key: an answer of a million stacks has several million nodes.
 */
import { assert } from '../../base/assert.js';
import { hashPair } from '../../base/hash.js';
import type { Frame } from '../../model/frame.js';
import type { SampleLabels } from '../../model/sample-labels.js';
import { canShareLocation, SymbolTablesWriter, writeMessage } from './encode-symbols.js';
import { GzipWriter } from './gzip-writer.js';
import { MessageBuilder, uintSize, WireWriter, wideSize } from './wire-writer.js';

/** The part of symbols/source.ts's SymbolSource that is read; that is one of these. */
export interface PprofSymbols {
  readonly frames: { readonly count: number; frame(index: number): Frame };
  readonly nodes: {
    readonly count: number;
    readonly parent: Int32Array;
    readonly frame: Int32Array;
  };
  readonly keys: { readonly node: Int32Array; readonly labelSet: Int32Array };
  readonly labelSets: { readonly count: number; labels(index: number): SampleLabels };
}

export interface PprofInput {
  /** At least one. */
  readonly sampleTypes: readonly { readonly type: string; readonly unit: string }[];
  readonly symbols: PprofSymbols;
  /** Key numbers, one a sample. */
  readonly key: Int32Array;
  /** For each sample type, a value for each element of `key`. */
  readonly values: readonly BigInt64Array[];
  readonly periodType?: string;
  readonly periodUnit?: string;
  readonly period?: bigint;
  /** Unix. */
  readonly timeNs?: bigint;
  readonly durationNs?: bigint;
  readonly comments?: readonly string[];
  readonly defaultSampleType?: string;
  readonly docUrl?: string;
  readonly dropFrames?: string;
  readonly keepFrames?: string;
  /** 0: not compressed; 1 (default, fast) to 9. */
  readonly gzipLevel?: number;
}

/** The bytes of one pprof; the caller may keep them. */
export function encodePprof(input: PprofInput): Uint8Array {
  assert(input.sampleTypes.length > 0, 'a pprof without sample types');
  assert(input.values.length === input.sampleTypes.length, 'values for each sample type');
  for (const values of input.values) assert(values.length >= input.key.length, 'values for keys');
  const level = input.gzipLevel ?? 1;
  const gzip = new GzipWriter(level);
  const plain: Uint8Array[] = [];
  const writer = new WireWriter((bytes) => {
    if (level === 0) plain.push(bytes.slice());
    else gzip.write(bytes);
  });
  const tables = new SymbolTablesWriter(writer, input.symbols.frames);
  writeHeader(input, writer, tables);
  const runs = new Runs(input.symbols);
  writeSamples(input, runs, writer, tables);
  for (let id = 1; id <= runs.locationCount; id++) tables.writeLocation(id, runs.frames(id));
  tables.finish();
  writer.finish();
  return level === 0 ? Buffer.concat(plain) : gzip.finish();
}

function writeHeader(input: PprofInput, writer: WireWriter, tables: SymbolTablesWriter): void {
  const { strings } = tables;
  const valueType = (type: string, unit: string): Uint8Array =>
    new MessageBuilder().number(1, strings.index(type)).number(2, strings.index(unit)).take();
  for (const { type, unit } of input.sampleTypes) writeMessage(writer, 1, valueType(type, unit));
  const fields = new MessageBuilder()
    .number(7, strings.index(input.dropFrames ?? ''))
    .number(8, strings.index(input.keepFrames ?? ''))
    .number(9, input.timeNs ?? 0n)
    .number(10, input.durationNs ?? 0n)
    .number(12, input.period ?? 0n);
  const { periodType = '', periodUnit = '' } = input;
  if (periodType !== '' || periodUnit !== '') fields.message(11, valueType(periodType, periodUnit));
  for (const comment of input.comments ?? []) fields.number(13, strings.index(comment));
  fields.number(14, strings.index(input.defaultSampleType ?? ''));
  fields.number(15, strings.index(input.docUrl ?? ''));
  const bytes = fields.take();
  writer.reserve(bytes.length);
  writer.bytes(bytes);
}

function writeSamples(
  input: PprofInput,
  runs: Runs,
  writer: WireWriter,
  tables: SymbolTablesWriter,
): void {
  const { key, symbols } = input;
  const { keys, labelSets } = symbols;
  const values = input.values.map(
    (column) => new Int32Array(column.buffer, column.byteOffset, column.length * 2),
  );
  const labelBytes = new Array<Uint8Array | undefined>(labelSets.count);
  for (let i = 0; i < key.length; i++) {
    const k = key[i]!;
    const depth = runs.walk(keys.node[k]!);
    const ids = runs.stack;
    let idBytes = 0;
    for (let d = 0; d < depth; d++) idBytes += uintSize(ids[d]!);
    let valueBytes = 0;
    for (const halves of values) valueBytes += wideSize(halves[i * 2]!, halves[i * 2 + 1]!);
    const set = keys.labelSet[k]!;
    let labels = labelBytes[set];
    if (labels === undefined) {
      labels = tables.labels(labelSets.labels(set));
      labelBytes[set] = labels;
    }
    const size =
      (depth === 0 ? 0 : 1 + uintSize(idBytes) + idBytes) +
      (1 + uintSize(valueBytes) + valueBytes) +
      labels.length;
    writer.reserve(size + 6);
    writer.byte(0x12);
    writer.uint(size);
    if (depth > 0) {
      writer.byte(0x0a);
      writer.uint(idBytes);
      for (let d = 0; d < depth; d++) writer.uint(ids[d]!);
    }
    writer.byte(0x12);
    writer.uint(valueBytes);
    for (const halves of values) writer.wide(halves[i * 2]!, halves[i * 2 + 1]!);
    if (labels.length > 0) writer.bytes(labels);
  }
}

const NONE = -1;

/** The runs of stacks, and which of them became locations. */
class Runs {
  readonly #symbols: PprofSymbols;
  /** By run: the run of the frames that it is inlined into, or NONE; its innermost frame; its location, 0 for none. */
  #outer = new Int32Array(1024);
  #frame = new Int32Array(1024);
  #location = new Int32Array(1024);
  #count = 0;
  /** By frame: 1 for one that is inlined, 0 for another, NONE where not asked yet. */
  readonly #inlined: Int8Array;
  /** Runs of one frame, by frame; the others by hash of (outer, frame): slots hold run + 1. */
  readonly #single: Int32Array;
  #slots = new Int32Array(256);
  #hashed = 0;
  /** By location id - 1. */
  readonly #runOfLocation: number[] = [];
  /** Inlined frames on the way to the one that they may be in, innermost first; runs of those, outermost first. */
  #chain = new Int32Array(64);
  #chainRuns = new Int32Array(65);
  /** Location ids of the stack walked last, leaf first. */
  stack = new Int32Array(256);
  #depth = 0;

  constructor(symbols: PprofSymbols) {
    const { frames } = symbols;
    this.#symbols = symbols;
    this.#single = new Int32Array(frames.count).fill(NONE);
    this.#inlined = new Int8Array(frames.count).fill(NONE);
  }

  get locationCount(): number {
    return this.#runOfLocation.length;
  }

  /** Fills `stack` for a stack that ends at `node`; returns its length. */
  walk(node: number): number {
    const { parent, frame } = this.#symbols.nodes;
    this.#depth = 0;
    for (let n = node; n > 0; n = parent[n]!) {
      let length = 0;
      while (this.#isInlined(frame[n]!) && parent[n]! > 0) {
        if (length === this.#chain.length) this.#growChain();
        this.#chain[length++] = frame[n]!;
        n = parent[n]!;
      }
      const run = this.#singleRun(frame[n]!);
      if (length === 0) this.#visit(run);
      else this.#visitChain(run, length);
    }
    return this.#depth;
  }

  /** Frames of a location, innermost first. */
  frames(id: number): number[] {
    const out: number[] = [];
    for (let run = this.#runOfLocation[id - 1]!; run !== NONE; run = this.#outer[run]!) {
      out.push(this.#frame[run]!);
    }
    return out;
  }

  #isInlined(frame: number): boolean {
    const known = this.#inlined[frame]!;
    if (known !== NONE) return known === 1;
    const { inlined } = this.#symbols.frames.frame(frame);
    this.#inlined[frame] = inlined ? 1 : 0;
    return inlined;
  }

  #visit(run: number): void {
    let id = this.#location[run]!;
    if (id === 0) {
      id = this.#runOfLocation.push(run);
      this.#location[run] = id;
    }
    if (this.#depth === this.stack.length) this.stack = grown(this.stack);
    this.stack[this.#depth++] = id;
  }

  /** Puts the inlined frames of `#chain` into the run that they hang from, or into one of their own. */
  #visitChain(outermost: number, length: number): void {
    let last = 0;
    this.#chainRuns[0] = outermost;
    for (let i = length - 1; i >= 0; i--) {
      const frame = this.#chain[i]!;
      const longer = this.#longer(this.#chainRuns[last]!, frame);
      if (longer === NONE) this.#chainRuns[++last] = this.#singleRun(frame);
      else this.#chainRuns[last] = longer;
    }
    for (let i = last; i >= 0; i--) this.#visit(this.#chainRuns[i]!);
  }

  #singleRun(frame: number): number {
    let run = this.#single[frame]!;
    if (run === NONE) {
      run = this.#add(NONE, frame);
      this.#single[frame] = run;
    }
    return run;
  }

  #add(outer: number, frame: number): number {
    if (this.#count === this.#outer.length) {
      this.#outer = grown(this.#outer);
      this.#frame = grown(this.#frame);
      this.#location = grown(this.#location);
    }
    const run = this.#count++;
    this.#outer[run] = outer;
    this.#frame[run] = frame;
    return run;
  }

  /** The run of `frame` inlined into run `outer`; NONE where they cannot share a location. */
  #longer(outer: number, frame: number): number {
    if (this.#hashed * 4 > this.#slots.length) this.#rehash();
    const slot = this.#slot(outer, frame);
    const taken = this.#slots[slot]!;
    if (taken !== 0) return taken - 1;
    const { frames } = this.#symbols;
    if (!canShareLocation(frames.frame(frame), frames.frame(this.#frame[outer]!))) return NONE;
    const run = this.#add(outer, frame);
    this.#slots[slot] = run + 1;
    this.#hashed++;
    return run;
  }

  #slot(outer: number, frame: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashPair(outer, frame) & mask;
    for (;;) {
      const run = this.#slots[slot]! - 1;
      if (run < 0 || (this.#outer[run] === outer && this.#frame[run] === frame)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (const taken of old) {
      if (taken === 0) continue;
      this.#slots[this.#slot(this.#outer[taken - 1]!, this.#frame[taken - 1]!)] = taken;
    }
  }

  #growChain(): void {
    this.#chain = grown(this.#chain);
    this.#chainRuns = new Int32Array(this.#chain.length + 1);
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const out = new Int32Array(array.length * 2);
  out.set(array);
  return out;
}
