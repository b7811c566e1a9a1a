/**
 * The pprof kernel (kernels/pprof) and the decoded profile in its memory. It is WebAssembly because that takes half the time
 * that JavaScript took (docs/adr/0021-kernels-of-ingest.md).
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { isWasmTrap, type WasmMemory, WasmModule } from '../../base/web-assembly.js';
import { PPROF_KERNEL } from '../../gen/kernels/pprof.js';
import { rejectionsOf } from './damage.js';
import type { DecodedPprof, PprofRejection } from './decoded.js';
import * as L from './kernel-layout.js';
import { failWire } from './wire.js';

interface Exports {
  readonly memory: WasmMemory;
  header(): number;
  /** Once, after the bounds are in the header. */
  begin(): void;
  /** Address where a profile of `sizeBytes` is to be written. */
  room(sizeBytes: number): number;
  /** Makes room for what a profile of `sizeBytes` that was written decodes to. */
  reserve(sizeBytes: number): void;
  /** Traps on what is no pprof, and without room for it; the header says why. */
  decode(sizeBytes: number): void;
}

const MODULE = new WasmModule<Exports>(() => Buffer.from(PPROF_KERNEL, 'base64'));

/** A kernel with more memory is dropped once a profile comes that needs little of it. */
const KEPT_BYTES_MAX = 32 << 20;
/** Bytes of memory that a profile needs for each of its own, generously. */
const BYTES_PER_PROFILE_BYTE = 16;

/** By MANY_... */
const MANY: readonly string[] = [
  'strings',
  'mappings',
  'functions',
  'locations',
  'lines',
  'samples',
  'values',
  'locations of stacks',
  'labels',
  'sample types',
];

const BOUNDS: readonly (readonly [number, number])[] = [
  [L.SAMPLES_MAX, LIMITS.samplesPerProfileMax],
  [L.SYMBOLS_MAX, LIMITS.symbolsPerProfileMax],
  [L.ENTRIES_MAX, LIMITS.entriesPerProfileMax],
  [L.SAMPLE_TYPES_MAX, LIMITS.sampleTypesMax],
  [L.STACK_DEPTH_MAX, LIMITS.stackDepthMax],
  [L.SAMPLE_LABELS_MAX, LIMITS.labelsPerSampleMax],
  [L.STRING_BYTES_MAX, LIMITS.stringBytesMax],
  [L.COMMENTS_MAX, LIMITS.commentsMax],
];

const NO_INTS = new Int32Array(0);
const NO_SIGNED = new BigInt64Array(0);
const NO_UNSIGNED = new BigUint64Array(0);

export class PprofKernel implements DecodedPprof {
  readonly #exports = MODULE.instantiate();
  readonly #headerAt = this.#exports.header();
  /** Of the memory that the views below are over. */
  #buffer: ArrayBuffer = new ArrayBuffer(0);
  #layout = -1;
  #header = NO_INTS;
  #isBroken = false;

  bytes: Uint8Array = new Uint8Array(0);
  stringCount = 0;
  stringStart = NO_INTS;
  stringEnd = NO_INTS;
  sampleTypeCount = 0;
  sampleTypeType = NO_INTS;
  sampleTypeUnit = NO_INTS;
  mappingCount = 0;
  mappingStart = NO_UNSIGNED;
  mappingLimit = NO_UNSIGNED;
  mappingOffset = NO_UNSIGNED;
  mappingFile = NO_INTS;
  mappingBuildId = NO_INTS;
  functionCount = 0;
  functionName = NO_INTS;
  functionSystemName = NO_INTS;
  functionFile = NO_INTS;
  functionStartLine = NO_SIGNED;
  locationCount = 0;
  locationMapping = NO_INTS;
  locationAddress = NO_UNSIGNED;
  locationFolded: Uint8Array = new Uint8Array(0);
  locationFirstLine = NO_INTS;
  lineCount = 0;
  lineFunction = NO_INTS;
  lineLine = NO_SIGNED;
  lineColumn = NO_SIGNED;
  sampleCount = 0;
  sampleFirstLocation = NO_INTS;
  sampleLocation = NO_INTS;
  sampleValue = NO_SIGNED;
  sampleFirstLabel = NO_INTS;
  labelKey = NO_INTS;
  labelString = NO_INTS;
  labelNumber = NO_SIGNED;
  labelUnit = NO_INTS;
  timeNs = 0n;
  durationNs = 0n;
  period = 0n;
  periodType = 0;
  periodUnit = 0;
  dropFrames = 0;
  keepFrames = 0;
  defaultSampleType = 0;
  docUrl = 0;
  commentCount = 0;
  comment = NO_INTS;
  rejections: readonly PprofRejection[] = [];

  constructor() {
    this.#viewHeader();
    for (const [slot, bound] of BOUNDS) this.#header[slot] = bound;
    this.#exports.begin();
  }

  /**
   * False when it holds memory that is both much and much more than a profile of `sizeBytes` needs, and after it found none: its
   * columns may be half moved then.
   */
  isFitFor(sizeBytes: number): boolean {
    const { byteLength } = this.#exports.memory.buffer;
    if (this.#isBroken) return false;
    return !(byteLength > KEPT_BYTES_MAX && byteLength > sizeBytes * BYTES_PER_PROFILE_BYTE);
  }

  /** Decodes into this object. Throws `invalid` PS_PPROF_NOT_PPROF, PS_PPROF_TOO_LARGE, PS_PPROF_IDS. */
  decode(bytes: Uint8Array): void {
    this.bytes = bytes;
    try {
      const at = this.#exports.room(bytes.length);
      new Uint8Array(this.#exports.memory.buffer, at >>> 0, bytes.length).set(bytes);
      this.#decode(bytes.length);
    } catch (trap) {
      if (isWasmTrap(trap)) this.#fail();
      throw trap;
    }
    if (this.#exports.memory.buffer !== this.#buffer) this.#viewHeader();
    if (this.#header[L.LAYOUT] !== this.#layout) this.#viewColumns();
    this.#takeNumbers();
    if (this.sampleTypeCount === 0) failWire(bytes, bytes.length, 'no sample type');
    if (this.stringCount === 0) failWire(bytes, bytes.length, 'no string table');
  }

  #decode(sizeBytes: number): void {
    try {
      this.#exports.decode(sizeBytes);
    } catch (trap) {
      if (!isWasmTrap(trap)) throw trap;
      this.#viewHeader();
      if (this.#slot(L.ERROR) !== L.NO_ROOM) throw trap;
      this.#exports.reserve(sizeBytes);
      this.#exports.decode(sizeBytes);
    }
  }

  #viewHeader(): void {
    this.#buffer = this.#exports.memory.buffer;
    this.#header = new Int32Array(this.#buffer, this.#headerAt, L.SLOTS);
    this.#layout = -1;
  }

  #slot(index: number): number {
    return this.#header[index]!;
  }

  #wide(index: number): bigint {
    return (BigInt(this.#slot(index + 1)) << 32n) | BigInt(this.#slot(index) >>> 0);
  }

  #takeNumbers(): void {
    this.stringCount = this.#slot(L.STRING_COUNT);
    this.sampleTypeCount = this.#slot(L.SAMPLE_TYPE_COUNT);
    this.mappingCount = this.#slot(L.MAPPING_COUNT);
    this.functionCount = this.#slot(L.FUNCTION_COUNT);
    this.locationCount = this.#slot(L.LOCATION_COUNT);
    this.lineCount = this.#slot(L.LINE_COUNT);
    this.sampleCount = this.#slot(L.SAMPLE_COUNT);
    this.commentCount = this.#slot(L.COMMENT_COUNT);
    this.periodType = this.#slot(L.PERIOD_TYPE);
    this.periodUnit = this.#slot(L.PERIOD_UNIT);
    this.dropFrames = this.#slot(L.DROP_FRAMES);
    this.keepFrames = this.#slot(L.KEEP_FRAMES);
    this.defaultSampleType = this.#slot(L.DEFAULT_SAMPLE_TYPE);
    this.docUrl = this.#slot(L.DOC_URL);
    this.timeNs = this.#wide(L.TIME_NS);
    this.durationNs = this.#wide(L.DURATION_NS);
    this.period = this.#wide(L.PERIOD);
    this.rejections = rejectionsOf(this.#header.subarray(L.DAMAGE, L.DAMAGE + L.DAMAGE_KINDS));
  }

  #viewColumns(): void {
    const ints = (column: number, length: number): Int32Array<ArrayBuffer> =>
      new Int32Array(this.#buffer, this.#slot(column) >>> 0, length);
    const signed = (column: number, length: number): BigInt64Array<ArrayBuffer> =>
      new BigInt64Array(this.#buffer, this.#slot(column) >>> 0, length);
    const unsigned = (column: number, length: number): BigUint64Array<ArrayBuffer> =>
      new BigUint64Array(this.#buffer, this.#slot(column) >>> 0, length);
    this.#layout = this.#slot(L.LAYOUT);
    const strings = this.#slot(L.STRING_CAPACITY);
    this.stringStart = ints(L.STRING_START, strings);
    this.stringEnd = ints(L.STRING_END, strings);
    this.sampleTypeType = ints(L.SAMPLE_TYPE_TYPE, LIMITS.sampleTypesMax);
    this.sampleTypeUnit = ints(L.SAMPLE_TYPE_UNIT, LIMITS.sampleTypesMax);
    this.comment = ints(L.COMMENT, LIMITS.commentsMax);
    const mappings = this.#slot(L.MAPPING_CAPACITY);
    this.mappingStart = unsigned(L.MAPPING_START, mappings);
    this.mappingLimit = unsigned(L.MAPPING_LIMIT, mappings);
    this.mappingOffset = unsigned(L.MAPPING_OFFSET, mappings);
    this.mappingFile = ints(L.MAPPING_FILE, mappings);
    this.mappingBuildId = ints(L.MAPPING_BUILD_ID, mappings);
    const functions = this.#slot(L.FUNCTION_CAPACITY);
    this.functionName = ints(L.FUNCTION_NAME, functions);
    this.functionSystemName = ints(L.FUNCTION_SYSTEM_NAME, functions);
    this.functionFile = ints(L.FUNCTION_FILE, functions);
    this.functionStartLine = signed(L.FUNCTION_START_LINE, functions);
    const locations = this.#slot(L.LOCATION_CAPACITY);
    this.locationMapping = ints(L.LOCATION_MAPPING, locations);
    this.locationAddress = unsigned(L.LOCATION_ADDRESS, locations);
    this.locationFolded = new Uint8Array(
      this.#buffer,
      this.#slot(L.LOCATION_FOLDED) >>> 0,
      locations,
    );
    this.locationFirstLine = ints(L.LOCATION_FIRST_LINE, locations + 1);
    const lines = this.#slot(L.LINE_CAPACITY);
    this.lineFunction = ints(L.LINE_FUNCTION, lines);
    this.lineLine = signed(L.LINE_LINE, lines);
    this.lineColumn = signed(L.LINE_COLUMN, lines);
    const samples = this.#slot(L.SAMPLE_CAPACITY) + 1;
    this.sampleFirstLocation = ints(L.SAMPLE_FIRST_LOCATION, samples);
    this.sampleFirstLabel = ints(L.SAMPLE_FIRST_LABEL, samples);
    this.sampleLocation = ints(L.SAMPLE_LOCATION, this.#slot(L.ENTRY_CAPACITY));
    this.sampleValue = signed(L.SAMPLE_VALUE, this.#slot(L.VALUE_CAPACITY));
    const labels = this.#slot(L.LABEL_CAPACITY);
    this.labelKey = ints(L.LABEL_KEY, labels);
    this.labelString = ints(L.LABEL_STRING, labels);
    this.labelNumber = signed(L.LABEL_NUMBER, labels);
    this.labelUnit = ints(L.LABEL_UNIT, labels);
  }

  /** After a trap. */
  #fail(): never {
    this.#viewHeader();
    const detail = this.#slot(L.ERROR_DETAIL);
    const detail2 = this.#slot(L.ERROR_DETAIL_2);
    const error = this.#slot(L.ERROR);
    if (error === L.TOO_MANY) throw tooMany(MANY[detail] ?? 'elements', detail2);
    if (error === L.COLLIDING_IDS) {
      throw invalid(
        'PS_PPROF_IDS',
        `cannot decode profile: got ${detail} ids with one hash among ${detail2}; want ids that were not made to collide`,
      );
    }
    if (error === 0 || error === L.NO_ROOM) {
      this.#isBroken = true;
      throw invalid(
        'PS_PPROF_TOO_LARGE',
        `cannot decode profile: got ${this.bytes.length} bytes, for which there is no memory; want a smaller one`,
      );
    }
    failWire(this.bytes, this.#slot(L.ERROR_AT), problemOf(error, detail, detail2));
  }
}

function tooMany(what: string, max: number): StoreError {
  return invalid(
    'PS_PPROF_TOO_LARGE',
    `cannot decode profile: got more than ${max} ${what}; want at most that`,
    { max },
  );
}

function problemOf(error: number, detail: number, detail2: number): string {
  if (error === L.CUT_NUMBER) return 'a number that is cut off';
  if (error === L.LONG_NUMBER) return 'a number of more than ten bytes';
  if (error === L.LONG_LENGTH) return 'a length past 2 GB';
  if (error === L.LONG_FIELD) return 'a field longer than what holds it';
  if (error === L.FIELD_ZERO) return 'field number 0';
  if (error === L.WRONG_WIRE_TYPE) return `field ${detail} with wire type ${detail2}`;
  return `wire type ${detail}`;
}
