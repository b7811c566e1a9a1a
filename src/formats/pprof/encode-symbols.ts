/**
 * The tables of a pprof that is being written: strings, functions, mappings and locations, each numbered when first
 * used, so that nothing unused is written.
 *
 * A location is a *run*: a frame that is not inlined and the inlined frames below it (towards the leaf), which the
 * compiler put into it. Runs are a trie of their own: run = (outer run or none, frame).
 */
import { assert } from '../../base/assert.js';
import type { Frame } from '../../model/frame.js';
import { canonicalSampleLabels, type SampleLabels } from '../../model/sample-labels.js';
import { MessageBuilder, type WireWriter } from './wire-writer.js';

/** Field numbers of the message Profile. */
const FIELD = { mapping: 3, location: 4, function: 5, strings: 6 } as const;
/** Tag and length of a submessage. */
const PREFIX_BYTES_MAX = 6;

export function writeMessage(writer: WireWriter, field: number, bytes: Uint8Array): void {
  writer.reserve(bytes.length + PREFIX_BYTES_MAX);
  writer.uint((field << 3) | 2);
  writer.uint(bytes.length);
  writer.bytes(bytes);
}

export class StringTableWriter {
  readonly #indexOf = new Map<string, number>([['', 0]]);
  readonly #strings: string[] = [''];
  #emptyText = 0;

  index(text: string): number {
    const known = this.#indexOf.get(text);
    if (known !== undefined) return known;
    const index = this.#strings.push(text) - 1;
    this.#indexOf.set(text, index);
    return index;
  }

  /** Index of `text` as a label's value: 0 would say that the label is numeric, so the empty text gets another. */
  labelText(text: string): number {
    if (text !== '') return this.index(text);
    if (this.#emptyText === 0) this.#emptyText = this.#strings.push('') - 1;
    return this.#emptyText;
  }

  write(writer: WireWriter): void {
    for (const text of this.#strings)
      writeMessage(writer, FIELD.strings, Buffer.from(text, 'utf8'));
  }
}

interface MappingEntry {
  readonly frame: Frame;
  hasFunctions: boolean;
  hasFilenames: boolean;
  hasLineNumbers: boolean;
  hasInlineFrames: boolean;
}

function isSymbolized(frame: Frame): boolean {
  return frame.functionName !== '' || frame.systemName !== '';
}

/** True when the frame says nothing about a function: its location has no line. */
function isBare(frame: Frame): boolean {
  return (
    !isSymbolized(frame) &&
    frame.fileName === '' &&
    frame.line === 0n &&
    frame.column === 0n &&
    frame.startLine === 0n
  );
}

function noteFrame(mapping: MappingEntry, frame: Frame): void {
  mapping.hasFunctions ||= isSymbolized(frame);
  mapping.hasFilenames ||= frame.fileName !== '';
  mapping.hasLineNumbers ||= frame.line !== 0n;
}

/** True when both can be lines of one location, which has one mapping, one address and one `is_folded`. */
export function canShareLocation(inner: Frame, outer: Frame): boolean {
  if (
    inner.mappingFile !== outer.mappingFile ||
    inner.buildId !== outer.buildId ||
    inner.folded !== outer.folded ||
    isBare(inner) ||
    isBare(outer)
  ) {
    return false;
  }
  if (isSymbolized(inner) || isSymbolized(outer)) return true;
  return (
    inner.address === outer.address &&
    inner.mappingStart === outer.mappingStart &&
    inner.mappingLimit === outer.mappingLimit &&
    inner.mappingOffset === outer.mappingOffset
  );
}

export class SymbolTablesWriter {
  readonly strings = new StringTableWriter();
  readonly #writer: WireWriter;
  readonly #frameAt: (index: number) => Frame;
  readonly #message = new MessageBuilder();
  readonly #functions = new Map<string, number>();
  readonly #mappings = new Map<string, number>();
  readonly #mappingEntries: MappingEntry[] = [];
  /** By frame: id of its function and, plus 1, of its mapping; 0 where not asked yet. */
  readonly #functionOf: Int32Array;
  readonly #mappingOf: Int32Array;

  constructor(writer: WireWriter, frames: { count: number; frame(index: number): Frame }) {
    this.#writer = writer;
    this.#frameAt = (index) => frames.frame(index);
    this.#functionOf = new Int32Array(frames.count);
    this.#mappingOf = new Int32Array(frames.count);
  }

  /** Writes location `id`. `indices` are the frames of its lines, innermost first, at least one. */
  writeLocation(id: number, indices: readonly number[]): void {
    const frames = indices.map((index) => this.#frameAt(index));
    // The frame that is not symbolized carries the address and the mapping's range; see model/frame.ts.
    const unsymbolized = frames.findIndex((frame) => !isSymbolized(frame));
    const at = Math.max(0, unsymbolized);
    const place = frames[at];
    assert(place !== undefined, 'a location without frames');
    // The messages of functions come before the one that names them.
    const lines = frames.map((frame, i) =>
      isBare(frame) ? undefined : this.#line(indices[i]!, frame),
    );
    const mappingId = this.#mapping(indices[at]!, place);
    const message = this.#message.number(1, id).number(2, mappingId).number(3, place.address);
    const mapping = this.#mappingEntries[mappingId - 1];
    if (mapping !== undefined) mapping.hasInlineFrames ||= frames.length > 1;
    frames.forEach((frame, i) => {
      const line = lines[i];
      if (line !== undefined) message.message(4, line);
      if (mapping !== undefined) noteFrame(mapping, frame);
    });
    message.number(5, place.folded).writeTo(this.#writer, FIELD.location);
  }

  /** What is known only after the last location. */
  finish(): void {
    this.#mappingEntries.forEach((entry, index) => {
      const { frame } = entry;
      this.#message
        .number(1, index + 1)
        .number(2, frame.mappingStart)
        .number(3, frame.mappingLimit)
        .number(4, frame.mappingOffset)
        .number(5, this.strings.index(frame.mappingFile))
        .number(6, this.strings.index(frame.buildId))
        .number(7, entry.hasFunctions)
        .number(8, entry.hasFilenames)
        .number(9, entry.hasLineNumbers)
        .number(10, entry.hasInlineFrames)
        .writeTo(this.#writer, FIELD.mapping);
    });
    this.strings.write(this.#writer);
  }

  /** Labels as the bytes of Sample's fields 3, tags included. */
  labels(labels: SampleLabels): Uint8Array {
    const out = new MessageBuilder();
    const { strings, numbers } = canonicalSampleLabels(labels);
    for (const { name, value } of strings) {
      const str = this.strings.labelText(value);
      out.message(3, this.#message.number(1, this.strings.index(name)).number(2, str).take());
    }
    for (const { name, value, unit } of numbers) {
      this.#message.number(1, this.strings.index(name)).number(3, value);
      out.message(3, this.#message.number(4, this.strings.index(unit)).take());
    }
    return out.take();
  }

  /** Field 4 of Location. */
  #line(index: number, frame: Frame): Uint8Array {
    let functionId = this.#functionOf[index]!;
    if (functionId === 0) {
      functionId = this.#function(frame);
      this.#functionOf[index] = functionId;
    }
    return this.#message.number(1, functionId).number(2, frame.line).number(3, frame.column).take();
  }

  #function(frame: Frame): number {
    const name = this.strings.index(frame.functionName);
    const systemName = this.strings.index(frame.systemName);
    const file = this.strings.index(frame.fileName);
    const key = `${name},${systemName},${file},${frame.startLine}`;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const id = this.#functions.size + 1;
    this.#functions.set(key, id);
    const message = this.#message
      .number(1, id)
      .number(2, name)
      .number(3, systemName)
      .number(4, file);
    message.number(5, frame.startLine).writeTo(this.#writer, FIELD.function);
    return id;
  }

  #mapping(index: number, frame: Frame): number {
    let plusOne = this.#mappingOf[index]!;
    if (plusOne === 0) {
      plusOne = this.#mappingId(frame) + 1;
      this.#mappingOf[index] = plusOne;
    }
    return plusOne - 1;
  }

  /** Id of the frame's mapping; 0 when nothing is known of it. */
  #mappingId(frame: Frame): number {
    const file = this.strings.index(frame.mappingFile);
    const buildId = this.strings.index(frame.buildId);
    const { mappingStart, mappingLimit, mappingOffset } = frame;
    const key = `${file},${buildId},${mappingStart},${mappingLimit},${mappingOffset}`;
    if (key === '0,0,0,0,0') return 0;
    const known = this.#mappings.get(key);
    if (known !== undefined) return known;
    const id = this.#mappings.size + 1;
    this.#mappings.set(key, id);
    this.#mappingEntries.push({
      frame,
      hasFunctions: false,
      hasFilenames: false,
      hasLineNumbers: false,
      hasInlineFrames: false,
    });
    return id;
  }
}
