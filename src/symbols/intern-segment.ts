/**
 * Numbers within one segment for process-wide entries, and the columns of what is new in it.
 *
 * Each table has one array of marks. A mark is the count of entries numbered so far in all segments, so an entry has a
 * number in the open segment exactly when its mark is not below the mark at which the segment started: starting a
 * segment forgets everything in one step.
 */
import { assert } from '../base/assert.js';
import { ADDRESS, FRAME, FRAME_TYPE_SHIFT, FUNCTION, NOTHING, PLACE } from './intern-frames.js';
import { growInts, IntList } from './intern-list.js';
import type { Interner } from './intern-pprof.js';

/** Past this many numbers the marks must start anew, with new tables. */
const MARK_MAX = 2 ** 30;

/** Numbers of one table's entries within the open segment, counted from `first`. */
class LocalNumbers {
  marks = new Int32Array(1024);
  /** An entry's number is its mark less this. Marks below `start` belong to earlier segments. */
  #offset = 0;
  #next = 1;
  #start = 1;
  readonly #first: number;

  constructor(first: number) {
    this.#first = first;
  }

  get used(): number {
    return this.#next;
  }

  startSegment(): void {
    this.#start = this.#next;
    this.#offset = this.#next - this.#first;
  }

  /** The number of `entry`, or -1. */
  find(entry: number): number {
    const mark = entry < this.marks.length ? this.marks[entry]! : 0;
    return mark >= this.#start ? mark - this.#offset : -1;
  }

  add(entry: number): number {
    if (entry >= this.marks.length) this.marks = growInts(this.marks, entry + 1);
    const mark = this.#next++;
    this.marks[entry] = mark;
    return mark - this.#offset;
  }
}

/** Columns of frames: numbers of strings, 64-bit numbers as halves side by side, and bits. */
export interface NewFrames {
  readonly count: number;
  /** Halves, the high one second: a little-endian 64-bit number. */
  readonly id: Int32Array;
  readonly functionName: Int32Array;
  readonly systemName: Int32Array;
  readonly fileName: Int32Array;
  readonly mappingFile: Int32Array;
  readonly buildId: Int32Array;
  readonly frameType: Int32Array;
  readonly flags: Int32Array;
  readonly line: Int32Array;
  readonly column: Int32Array;
  readonly startLine: Int32Array;
  readonly mappingStart: Int32Array;
  readonly mappingLimit: Int32Array;
  readonly mappingOffset: Int32Array;
  readonly address: Int32Array;
}

/** What is new since the last `clear`; views, valid until the next change. */
export interface NewSymbols {
  readonly strings: readonly string[];
  readonly frames: NewFrames;
  readonly nodeParent: Int32Array;
  readonly nodeFrame: Int32Array;
  readonly labelSets: readonly string[];
  readonly keyNode: Int32Array;
  readonly keyLabelSet: Int32Array;
}

export class SegmentSymbols {
  readonly #interner: Interner;
  // String 0 (empty), node 0 (the root) and label set 0 (empty) are in every segment and written in none.
  readonly #stringNumber = new LocalNumbers(1);
  readonly #frameNumber = new LocalNumbers(0);
  readonly #nodeNumber = new LocalNumbers(1);
  readonly #labelSetNumber = new LocalNumbers(1);
  readonly #keyNumber = new LocalNumbers(0);

  readonly #strings: string[] = [];
  readonly #labelSets: string[] = [];
  readonly #nodeParent = new IntList();
  readonly #nodeFrame = new IntList();
  readonly #keyNode = new IntList();
  readonly #keyLabelSet = new IntList();
  readonly #frames = {
    id: new IntList(),
    functionName: new IntList(),
    systemName: new IntList(),
    fileName: new IntList(),
    mappingFile: new IntList(),
    buildId: new IntList(),
    frameType: new IntList(),
    flags: new IntList(),
    line: new IntList(),
    column: new IntList(),
    startLine: new IntList(),
    mappingStart: new IntList(),
    mappingLimit: new IntList(),
    mappingOffset: new IntList(),
    address: new IntList(),
  };
  readonly #path = new IntList();
  #textBytes = 0;

  constructor(interner: Interner) {
    this.#interner = interner;
  }

  /** False when the numbers are nearly used up: then new tables must be made. */
  get hasNumbersLeft(): boolean {
    return this.#keyNumber.used < MARK_MAX && this.#nodeNumber.used < MARK_MAX;
  }

  /** About the size of what is new, encoded. */
  get sizeBytes(): number {
    return (
      this.#textBytes +
      this.#frames.flags.length * 64 +
      this.#nodeParent.length * 8 +
      this.#keyNode.length * 8
    );
  }

  /** From now on nothing has a number. Whatever is new must have been taken. */
  startSegment(): void {
    this.clear();
    this.#stringNumber.startSegment();
    this.#frameNumber.startSegment();
    this.#nodeNumber.startSegment();
    this.#labelSetNumber.startSegment();
    this.#keyNumber.startSegment();
  }

  /** Number of process-wide key `key` in the open segment; it and what it needs are added where they are new. */
  key(key: number): number {
    const known = this.#keyNumber.find(key);
    if (known >= 0) return known;
    const { keyNodes, keyLabelSets } = this.#interner.tables;
    this.#keyNode.push(this.#node(keyNodes.data[key]!));
    this.#keyLabelSet.push(this.#labelSet(keyLabelSets.data[key]!));
    return this.#keyNumber.add(key);
  }

  #node(node: number): number {
    if (node === 0) return 0;
    const known = this.#nodeNumber.find(node);
    if (known >= 0) return known;
    const { nodeParents, nodeFrames } = this.#interner.tables;
    const path = this.#path;
    path.clear();
    let parent = 0;
    for (let n = node; n !== 0; n = nodeParents.data[n]!) {
      parent = this.#nodeNumber.find(n);
      if (parent >= 0) break;
      path.push(n);
      parent = 0;
    }
    for (let i = path.length - 1; i >= 0; i--) {
      const n = path.data[i]!;
      this.#nodeParent.push(parent);
      this.#nodeFrame.push(this.#frame(nodeFrames.data[n]!));
      parent = this.#nodeNumber.add(n);
    }
    return parent;
  }

  #labelSet(labelSet: number): number {
    if (labelSet === 0) return 0;
    const known = this.#labelSetNumber.find(labelSet);
    if (known >= 0) return known;
    const text = this.#interner.labelSets.text(labelSet);
    this.#labelSets.push(text);
    this.#textBytes += text.length + 4;
    return this.#labelSetNumber.add(labelSet);
  }

  #string(string: number): number {
    if (string === 0) return 0;
    const known = this.#stringNumber.find(string);
    if (known >= 0) return known;
    const text = this.#interner.strings.text(string);
    this.#strings.push(text);
    this.#textBytes += text.length + 4;
    return this.#stringNumber.add(string);
  }

  #frame(frame: number): number {
    const known = this.#frameNumber.find(frame);
    if (known >= 0) return known;
    const { frames, functions, places, addresses } = this.#interner.tables;
    const { ids } = this.#interner.frames;
    const f = frames.data;
    const at = frame * FRAME.width;
    const fnAt = f[at + FRAME.function]! * FUNCTION.width;
    const placeAt = f[at + FRAME.place]! * PLACE.width;
    const addressAt = f[at + FRAME.address]! * ADDRESS.width;
    const columns = this.#frames;
    columns.id.push(ids[frame * 2 + 1]! | 0);
    columns.id.push(ids[frame * 2]! | 0);
    columns.functionName.push(this.#string(functions.data[fnAt + FUNCTION.name]!));
    columns.systemName.push(this.#string(functions.data[fnAt + FUNCTION.system]!));
    columns.fileName.push(this.#string(functions.data[fnAt + FUNCTION.file]!));
    columns.mappingFile.push(this.#string(places.data[placeAt + PLACE.file]!));
    columns.buildId.push(this.#string(places.data[placeAt + PLACE.buildId]!));
    const flags = f[at + FRAME.flags]!;
    columns.frameType.push(this.#string(flags >>> FRAME_TYPE_SHIFT));
    columns.flags.push(flags & ((1 << FRAME_TYPE_SHIFT) - 1));
    pushWide(columns.line, f, at + FRAME.lineLow);
    pushWide(columns.column, f, at + FRAME.columnLow);
    pushWide(columns.startLine, functions.data, fnAt + FUNCTION.startLow);
    assert(NOTHING === 0, 'address 0 is all zero, so that it needs no special case');
    pushWide(columns.mappingStart, addresses.data, addressAt + ADDRESS.start);
    pushWide(columns.mappingLimit, addresses.data, addressAt + ADDRESS.limit);
    pushWide(columns.mappingOffset, addresses.data, addressAt + ADDRESS.offset);
    pushWide(columns.address, addresses.data, addressAt + ADDRESS.address);
    return this.#frameNumber.add(frame);
  }

  /** What is new since the last `clear`. */
  view(): NewSymbols {
    const f = this.#frames;
    return {
      strings: this.#strings,
      frames: {
        count: f.flags.length,
        id: f.id.view(),
        functionName: f.functionName.view(),
        systemName: f.systemName.view(),
        fileName: f.fileName.view(),
        mappingFile: f.mappingFile.view(),
        buildId: f.buildId.view(),
        frameType: f.frameType.view(),
        flags: f.flags.view(),
        line: f.line.view(),
        column: f.column.view(),
        startLine: f.startLine.view(),
        mappingStart: f.mappingStart.view(),
        mappingLimit: f.mappingLimit.view(),
        mappingOffset: f.mappingOffset.view(),
        address: f.address.view(),
      },
      nodeParent: this.#nodeParent.view(),
      nodeFrame: this.#nodeFrame.view(),
      labelSets: this.#labelSets,
      keyNode: this.#keyNode.view(),
      keyLabelSet: this.#keyLabelSet.view(),
    };
  }

  clear(): void {
    this.#strings.length = 0;
    this.#labelSets.length = 0;
    this.#textBytes = 0;
    for (const list of Object.values(this.#frames)) list.clear();
    this.#nodeParent.clear();
    this.#nodeFrame.clear();
    this.#keyNode.clear();
    this.#keyLabelSet.clear();
  }
}

function pushWide(list: IntList, source: Int32Array, at: number): void {
  list.push(source[at]!);
  list.push(source[at + 1]!);
}
