/**
 * The symbols of one segment, growing commit by commit. Whatever a commit brings is checked before it is added: a
 * reference points at something that is there, a node comes after its parent.
 */
import { corrupt } from '../base/errors.js';
import { type ColumnTable, int32Values, int64Values, utf8Values } from '../columnar/table.js';
import { FRAMES, KEYS, LABEL_SETS, NODES, STRINGS, variantCode } from '../log/commit-schema.js';
import { findTable, type TableBytes } from '../log/commit-codec.js';
import type { StoredColumn } from '../log/segment-view.js';
import { WIDE_ABSENT, WIDE_INT32, widen } from '../log/wide-column.js';
import type { Frame } from '../model/frame.js';
import { type SampleLabels, sampleLabelsFromKey } from '../model/sample-labels.js';
import { IntList } from '../symbols/intern-list.js';
import type { FrameTable, LabelSetTable, SymbolSource } from '../symbols/source.js';

const FLAG_INLINED = 1;
const FLAG_FOLDED = 2;

/** Throws `corrupt` PS_SEGMENT_REFERENCE unless all of `values` are in [least, end). */
export function checkRange(what: string, values: Int32Array, least: number, end: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < least || value >= end) {
      throw corrupt(
        'PS_SEGMENT_REFERENCE',
        `cannot read ${what} of a segment: got ${value}; want at least ${least} and less than ${end}`,
      );
    }
  }
}

/** A 64-bit column that may be absent or narrow. */
export function storedColumn(table: ColumnTable, name: string, code: number): StoredColumn {
  if (code === WIDE_ABSENT) return undefined;
  return code === WIDE_INT32 ? int32Values(table, name) : int64Values(table, name);
}

function halvesOf(wide: BigInt64Array): Int32Array {
  return new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
}

const TEXT_COLUMNS = [
  'function',
  'system_name',
  'file',
  'mapping_file',
  'build_id',
  'frame_type',
] as const;
const FUNCTION = 0;
const SYSTEM_NAME = 1;
const FILE = 2;
const MAPPING_FILE = 3;
const BUILD_ID = 4;
const FRAME_TYPE = 5;
const LINE = 0;
const COLUMN = 1;
const START_LINE = 2;
const MAPPING_START = 3;
const MAPPING_LIMIT = 4;
const MAPPING_OFFSET = 5;
const ADDRESS = 6;

/**
 * One object for all views of a segment, so that what is known of its frames (symbols/frame-pool.ts) stays known when
 * the segment grows.
 */
class SegmentFrames implements FrameTable {
  idHigh: Uint32Array = new Uint32Array(0);
  idLow: Uint32Array = new Uint32Array(0);
  readonly strings: string[] = [''];
  readonly #idHigh = new IntList();
  readonly #idLow = new IntList();
  readonly #texts = TEXT_COLUMNS.map(() => new IntList());
  readonly #flags = new IntList();
  /** Halves. */
  readonly #numbers = FRAMES.wide.map(() => new IntList());

  get count(): number {
    return this.#flags.length;
  }

  add(table: ColumnTable, variant: number): void {
    TEXT_COLUMNS.forEach((name, i) => {
      const values = int32Values(table, name);
      checkRange(`frames' strings`, values, 0, this.strings.length);
      this.#texts[i]!.append(values);
    });
    const flags = int32Values(table, 'flags');
    checkRange(`frames' flags`, flags, 0, 4);
    this.#flags.append(flags);
    FRAMES.wide.forEach(({ name }, i) => {
      const stored = storedColumn(table, name, variantCode(variant, i));
      this.#numbers[i]!.append(halvesOf(widen(stored, table.rowCount)));
    });
    const ids = halvesOf(int64Values(table, 'frame_id'));
    this.#idHigh.reserve(ids.length / 2);
    this.#idLow.reserve(ids.length / 2);
    for (let i = 0; i < ids.length; i += 2) {
      this.#idLow.push(ids[i]!);
      this.#idHigh.push(ids[i + 1]!);
    }
    this.idHigh = new Uint32Array(this.#idHigh.data.buffer, 0, this.count);
    this.idLow = new Uint32Array(this.#idLow.data.buffer, 0, this.count);
  }

  trim(): void {
    for (const list of [...this.#texts, ...this.#numbers, this.#flags]) list.trim();
  }

  #text(column: number, index: number): string {
    return this.strings[this.#texts[column]!.data[index]!]!;
  }

  #number(column: number, index: number): bigint {
    const { data } = this.#numbers[column]!;
    const low = data[index * 2]!;
    const high = data[index * 2 + 1]!;
    return high === low >> 31 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  frame(index: number): Frame {
    const flags = this.#flags.data[index]!;
    return {
      functionName: this.#text(FUNCTION, index),
      systemName: this.#text(SYSTEM_NAME, index),
      fileName: this.#text(FILE, index),
      line: this.#number(LINE, index),
      column: this.#number(COLUMN, index),
      startLine: this.#number(START_LINE, index),
      mappingFile: this.#text(MAPPING_FILE, index),
      buildId: this.#text(BUILD_ID, index),
      mappingStart: BigInt.asUintN(64, this.#number(MAPPING_START, index)),
      mappingLimit: BigInt.asUintN(64, this.#number(MAPPING_LIMIT, index)),
      mappingOffset: BigInt.asUintN(64, this.#number(MAPPING_OFFSET, index)),
      address: BigInt.asUintN(64, this.#number(ADDRESS, index)),
      inlined: (flags & FLAG_INLINED) !== 0,
      folded: (flags & FLAG_FOLDED) !== 0,
      frameType: this.#text(FRAME_TYPE, index),
    };
  }
}

class SegmentLabelSets implements LabelSetTable {
  readonly #texts: string[] = [''];
  readonly #parsed: SampleLabels[] = [sampleLabelsFromKey('')];

  get count(): number {
    return this.#texts.length;
  }

  add(texts: readonly string[]): void {
    for (const text of texts) {
      this.#parsed.push(parseLabelSet(text));
      this.#texts.push(text);
    }
  }

  key(index: number): string {
    return this.#texts[index]!;
  }

  labels(index: number): SampleLabels {
    return this.#parsed[index]!;
  }
}

function parseLabelSet(text: string): SampleLabels {
  try {
    return sampleLabelsFromKey(text);
  } catch (cause) {
    throw corrupt(
      'PS_SEGMENT_LABELS',
      `cannot read labels of a sample: got ${JSON.stringify(text.slice(0, 128))} (${String(cause)}); want a label set key`,
    );
  }
}

export class GrowingSymbols {
  readonly #frames = new SegmentFrames();
  readonly #labelSets = new SegmentLabelSets();
  readonly #parent = new IntList();
  readonly #frame = new IntList();
  readonly #keyNode = new IntList();
  readonly #keyLabelSet = new IntList();

  constructor() {
    this.#parent.push(-1);
    this.#frame.push(-1);
  }

  get keyCount(): number {
    return this.#keyNode.length;
  }

  /** Adds what a commit brings. When it throws, nothing of the segment may be used any more. */
  add(tables: readonly TableBytes[]): void {
    const strings = findTable(tables, STRINGS);
    if (strings !== undefined) {
      for (const text of utf8Values(strings.content, 'text')) this.#frames.strings.push(text);
    }
    const frames = findTable(tables, FRAMES);
    if (frames !== undefined) this.#frames.add(frames.content, frames.variant);
    const nodes = findTable(tables, NODES);
    if (nodes !== undefined) this.#addNodes(nodes.content);
    const labelSets = findTable(tables, LABEL_SETS);
    if (labelSets !== undefined) this.#labelSets.add(utf8Values(labelSets.content, 'text'));
    const keys = findTable(tables, KEYS);
    if (keys === undefined) return;
    const node = int32Values(keys.content, 'node');
    const labelSet = int32Values(keys.content, 'label_set');
    checkRange(`keys' nodes`, node, 0, this.#parent.length);
    checkRange(`keys' label sets`, labelSet, 0, this.#labelSets.count);
    this.#keyNode.append(node);
    this.#keyLabelSet.append(labelSet);
  }

  #addNodes(table: ColumnTable): void {
    const parent = int32Values(table, 'parent');
    const frame = int32Values(table, 'frame');
    checkRange(`nodes' frames`, frame, 0, this.#frames.count);
    const first = this.#parent.length;
    for (let i = 0; i < parent.length; i++) {
      if (parent[i]! < 0 || parent[i]! >= first + i) {
        throw corrupt(
          'PS_SEGMENT_REFERENCE',
          `cannot read nodes of a segment: got parent ${parent[i]} of node ${first + i}; want an earlier node`,
        );
      }
    }
    this.#parent.append(parent);
    this.#frame.append(frame);
  }

  /** For a segment that nothing comes to any more. */
  trim(): void {
    for (const list of [this.#parent, this.#frame, this.#keyNode, this.#keyLabelSet]) list.trim();
    this.#frames.trim();
  }

  /** What is there now; what is added later does not change it. */
  snapshot(): SymbolSource {
    return {
      frames: this.#frames,
      nodes: { count: this.#parent.length, parent: this.#parent.view(), frame: this.#frame.view() },
      keys: {
        count: this.#keyNode.length,
        node: this.#keyNode.view(),
        labelSet: this.#keyLabelSet.view(),
      },
      labelSets: this.#labelSets,
    };
  }
}
