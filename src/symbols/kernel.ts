/**
 * The symbols kernel (kernels/symbols): recognises the strings, functions, frames, stacks and keys of profiles. It is
 * WebAssembly because that takes half the time that JavaScript took (docs/adr/0021-kernels-of-ingest.md).
 */
import { invalid, StoreError } from '../base/errors.js';
import { isWasmTrap, type WasmMemory, WasmModule } from '../base/web-assembly.js';
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import { SYMBOLS_KERNEL } from '../gen/kernels/symbols.js';
import * as L from './kernel-layout.js';

interface Exports {
  readonly memory: WasmMemory;
  header(): number;
  room(): void;
  internSymbols(): void;
  internStacks(): void;
}

/** A kernel with more memory is given up once it and the newest profile need little of it. */
const KEPT_BYTES_MAX = 64 << 20;
/** Bytes of memory that a profile needs for each of its own, and that tables may take for each of theirs. */
const BYTES_PER_PROFILE_BYTE = 16;
const BYTES_PER_TABLE_BYTE = 4;

const MODULE = new WasmModule<Exports>(() => Buffer.from(SYMBOLS_KERNEL, 'base64'));

/** A table in the kernel's memory. */
export class KernelTable {
  /** Replaced by the calls that may make the table grow. */
  data = new Int32Array(0);
  count = 0;
  readonly slot: number;

  constructor(slot: number) {
    this.slot = slot;
  }
}

export class SymbolsKernel {
  readonly stringStart = new KernelTable(L.STRINGS);
  readonly stringBytes = new KernelTable(L.STRING_BYTES);
  readonly functions = new KernelTable(L.FUNCTIONS);
  readonly places = new KernelTable(L.PLACES);
  readonly addresses = new KernelTable(L.ADDRESSES);
  readonly frames = new KernelTable(L.FRAMES);
  /** Entry n is node n; entry 0 is the root. */
  readonly nodeParents = new KernelTable(L.NODE_PARENTS);
  readonly nodeFrames = new KernelTable(L.NODE_FRAMES);
  readonly keyNodes = new KernelTable(L.KEY_NODES);
  readonly keyLabelSets = new KernelTable(L.KEY_LABEL_SETS);
  readonly arrived = new KernelTable(L.ARRIVED);
  readonly arrivedItems = new KernelTable(L.ARRIVED_ITEMS);
  readonly labelSetOf = new KernelTable(L.LABEL_SET_OF);
  readonly #tables: readonly KernelTable[] = [
    ...[
      this.stringStart,
      this.stringBytes,
      this.functions,
      this.places,
      this.addresses,
      this.frames,
    ],
    ...[this.nodeParents, this.nodeFrames, this.keyNodes, this.keyLabelSets],
    ...[this.arrived, this.arrivedItems, this.labelSetOf],
  ];
  readonly #exports = MODULE.instantiate();
  readonly #headerAt = this.#exports.header();
  #buffer = this.#exports.memory.buffer;
  #header = new Int32Array(this.#buffer, this.#headerAt, L.SLOTS);
  #ints = new Int32Array(this.#buffer);
  #wide = new BigInt64Array(this.#buffer);
  #bytes = new Uint8Array(this.#buffer);
  #isBroken = false;
  #profileBytes = 0;

  constructor() {
    this.#refresh();
  }

  /** After a trap: its tables may be half changed, and every call fails. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** True when a large profile left memory behind that is of no use any more: it never shrinks. */
  get isOversized(): boolean {
    const needed =
      this.sizeBytes * BYTES_PER_TABLE_BYTE + this.#profileBytes * BYTES_PER_PROFILE_BYTE;
    return this.memoryBytes > KEPT_BYTES_MAX && this.memoryBytes > needed;
  }

  /** All that it has, never less than before. */
  get memoryBytes(): number {
    return this.#buffer.byteLength;
  }

  /** Of the tables: the memory, which grows by doubling, has untouched pages too. */
  get sizeBytes(): number {
    return this.#header[L.TABLE_BYTES]!;
  }

  /**
   * Everything of a profile but its stacks. New entries of `arrived` want a label set before `internStacks` is called.
   * Throws `invalid` PS_PPROF_TOO_LARGE where the profile has no room in WebAssembly's memory; nothing is interned then.
   * Throws `internal` PS_SYMBOLS_TRAP where the tables have none.
   */
  internSymbols(pprof: DecodedPprof): void {
    this.#load(pprof);
    this.#call(() => this.#exports.internSymbols());
  }

  /**
   * Key of each sample of the same profile: the first `sampleCount` elements count, until the next call.
   * Throws `internal` PS_SYMBOLS_TRAP.
   */
  internStacks(sampleCount: number): Int32Array {
    this.#call(() => this.#exports.internStacks());
    return new Int32Array(this.#buffer, this.#header[L.KEY_OF]! >>> 0, sampleCount);
  }

  #call(work: () => void): void {
    try {
      if (this.#isBroken) throw new Error('an earlier call trapped');
      work();
    } catch (cause) {
      this.#isBroken = true;
      throw new StoreError({
        kind: 'internal',
        code: 'PS_SYMBOLS_TRAP',
        message: `cannot intern symbols: got a trap with ${this.sizeBytes} bytes of tables; want none`,
        cause,
      });
    } finally {
      this.#refresh();
    }
  }

  #refresh(): void {
    const { buffer } = this.#exports.memory;
    const hasMoved = buffer !== this.#buffer;
    if (hasMoved) {
      this.#buffer = buffer;
      this.#header = new Int32Array(buffer, this.#headerAt, L.SLOTS);
      this.#ints = new Int32Array(buffer);
      this.#wide = new BigInt64Array(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
    for (const table of this.#tables) {
      const at = this.#header[table.slot]! >>> 0;
      const length = this.#header[table.slot + 2]!;
      table.count = this.#header[table.slot + 1]!;
      if (hasMoved || table.data.byteOffset !== at || table.data.length !== length) {
        table.data = new Int32Array(buffer, at, length);
      }
    }
  }

  #load(p: DecodedPprof): void {
    const header = this.#header;
    const entries = p.sampleFirstLocation[p.sampleCount]!;
    const labels = p.sampleFirstLabel[p.sampleCount]!;
    this.#profileBytes = p.bytes.length;
    header[L.BYTE_COUNT] = p.bytes.length;
    header[L.STRING_COUNT] = p.stringCount;
    header[L.FUNCTION_COUNT] = p.functionCount;
    header[L.MAPPING_COUNT] = p.mappingCount;
    header[L.LOCATION_COUNT] = p.locationCount;
    header[L.LINE_COUNT] = p.lineCount;
    header[L.SAMPLE_COUNT] = p.sampleCount;
    header[L.ENTRY_COUNT] = entries;
    header[L.LABEL_COUNT] = labels;
    this.#room(p.bytes.length);
    this.#put(L.STRING_START, p.stringStart, p.stringCount);
    this.#put(L.STRING_END, p.stringEnd, p.stringCount);
    this.#put(L.FUNCTION_NAME, p.functionName, p.functionCount);
    this.#put(L.FUNCTION_SYSTEM_NAME, p.functionSystemName, p.functionCount);
    this.#put(L.FUNCTION_FILE, p.functionFile, p.functionCount);
    this.#putWide(L.FUNCTION_START_LINE, p.functionStartLine, p.functionCount);
    this.#putWide(L.MAPPING_START, p.mappingStart, p.mappingCount);
    this.#putWide(L.MAPPING_LIMIT, p.mappingLimit, p.mappingCount);
    this.#putWide(L.MAPPING_OFFSET, p.mappingOffset, p.mappingCount);
    this.#put(L.MAPPING_FILE, p.mappingFile, p.mappingCount);
    this.#put(L.MAPPING_BUILD_ID, p.mappingBuildId, p.mappingCount);
    this.#put(L.LOCATION_MAPPING, p.locationMapping, p.locationCount);
    this.#putWide(L.LOCATION_ADDRESS, p.locationAddress, p.locationCount);
    this.#putBytes(L.LOCATION_FOLDED, p.locationFolded, p.locationCount);
    this.#put(L.LOCATION_FIRST_LINE, p.locationFirstLine, p.locationCount + 1);
    this.#put(L.LINE_FUNCTION, p.lineFunction, p.lineCount);
    this.#putWide(L.LINE_LINE, p.lineLine, p.lineCount);
    this.#putWide(L.LINE_COLUMN, p.lineColumn, p.lineCount);
    this.#put(L.SAMPLE_FIRST_LOCATION, p.sampleFirstLocation, p.sampleCount + 1);
    this.#put(L.SAMPLE_LOCATION, p.sampleLocation, entries);
    this.#put(L.SAMPLE_FIRST_LABEL, p.sampleFirstLabel, p.sampleCount + 1);
    this.#put(L.LABEL_KEY, p.labelKey, labels);
    this.#put(L.LABEL_STRING, p.labelString, labels);
    this.#put(L.LABEL_UNIT, p.labelUnit, labels);
    this.#putWide(L.LABEL_NUMBER, p.labelNumber, labels);
    this.#putBytes(L.BYTES, p.bytes, p.bytes.length);
  }

  #room(sizeBytes: number): void {
    try {
      this.#exports.room();
    } catch (trap) {
      if (!isWasmTrap(trap)) throw trap;
      throw invalid(
        'PS_PPROF_TOO_LARGE',
        `cannot take profile: got ${sizeBytes} bytes, for which there is no memory; want a smaller one`,
      );
    } finally {
      this.#refresh();
    }
  }

  #put(column: number, from: Int32Array, count: number): void {
    this.#ints.set(from.subarray(0, count), this.#header[column]! >>> 2);
  }

  #putWide(column: number, from: BigInt64Array | BigUint64Array, count: number): void {
    this.#wide.set(from.subarray(0, count), this.#header[column]! >>> 3);
  }

  #putBytes(column: number, from: Uint8Array, count: number): void {
    this.#bytes.set(from.subarray(0, count), this.#header[column]! >>> 0);
  }
}
