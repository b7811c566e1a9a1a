/**
 * The arrays behind a `DecodedPprof`, kept from one profile to the next so that decoding allocates nothing. While a
 * profile is scanned, references hold the sender's ids as tokens (id-table.ts) and string numbers unchecked, -1 for
 * those that cannot be; resolve.ts turns them into indexes.
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { DecodedPprof, PprofRejection } from './decoded.js';
import { DAMAGE_KINDS } from './damage.js';
import { WideIds } from './id-table.js';

/** An arena larger than this is dropped once a profile comes that needs little of it. */
const KEPT_BYTES_MAX = 32 << 20;
/** Bytes of arrays that a profile needs for each of its own, generously. */
const BYTES_PER_PROFILE_BYTE = 16;

const NO_BYTES = new Uint8Array(0);

export function tooMany(what: string, max: number): StoreError {
  return invalid(
    'PS_PPROF_TOO_LARGE',
    `cannot decode profile: got more than ${max} ${what}; want at most that`,
    { max },
  );
}

function grownLength(length: number, needed: number, max: number, what: string): number {
  if (needed > max) throw tooMany(what, max);
  return Math.min(Math.max(needed, length * 2), max);
}

type Ints = Int32Array<ArrayBuffer>;

function copyInt(old: Ints, length: number): Ints {
  const grown = new Int32Array(length);
  grown.set(old);
  return grown;
}

/** A 64-bit column as halves over one buffer; `halves.length` is twice the rows. */
function copyHalves(old: Ints, rows: number): Ints {
  return copyInt(old, rows * 2);
}

function asBigInt64(halves: Ints): BigInt64Array<ArrayBuffer> {
  return new BigInt64Array(halves.buffer);
}

function asBigUint64(halves: Ints): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(halves.buffer);
}

export class PprofArena implements DecodedPprof {
  bytes: Uint8Array = NO_BYTES;
  view: DataView = new DataView(NO_BYTES.buffer);

  stringCount = 0;
  stringStart = new Int32Array(1024);
  stringEnd = new Int32Array(1024);

  sampleTypeCount = 0;
  sampleTypeType = new Int32Array(LIMITS.sampleTypesMax);
  sampleTypeUnit = new Int32Array(LIMITS.sampleTypesMax);

  mappingCount = 0;
  mappingId = new Int32Array(8);
  mappingStartHalves = new Int32Array(16);
  mappingLimitHalves = new Int32Array(16);
  mappingOffsetHalves = new Int32Array(16);
  mappingStart = asBigUint64(this.mappingStartHalves);
  mappingLimit = asBigUint64(this.mappingLimitHalves);
  mappingOffset = asBigUint64(this.mappingOffsetHalves);
  mappingFile = new Int32Array(8);
  mappingBuildId = new Int32Array(8);

  functionCount = 0;
  functionId = new Int32Array(512);
  functionName = new Int32Array(512);
  functionSystemName = new Int32Array(512);
  functionFile = new Int32Array(512);
  functionStartHalves = new Int32Array(1024);
  functionStartLine = asBigInt64(this.functionStartHalves);

  locationCount = 0;
  locationId = new Int32Array(512);
  locationMapping = new Int32Array(512);
  locationAddressHalves = new Int32Array(1024);
  locationAddress = asBigUint64(this.locationAddressHalves);
  locationFolded = new Uint8Array(512);
  locationFirstLine = new Int32Array(513);

  lineCount = 0;
  lineFunction = new Int32Array(512);
  lineLineHalves = new Int32Array(1024);
  lineColumnHalves = new Int32Array(1024);
  lineLine = asBigInt64(this.lineLineHalves);
  lineColumn = asBigInt64(this.lineColumnHalves);

  sampleCount = 0;
  sampleFirstLocation = new Int32Array(1025);
  sampleFirstLabel = new Int32Array(1025);
  /** Elements of `sampleLocation` that count. */
  entryCount = 0;
  sampleLocation = new Int32Array(8192);
  sampleValueHalves = new Int32Array(4096);
  sampleValue = asBigInt64(this.sampleValueHalves);

  labelCount = 0;
  labelKey = new Int32Array(64);
  labelString = new Int32Array(64);
  labelUnit = new Int32Array(64);
  labelNumberHalves = new Int32Array(128);
  labelNumber = asBigInt64(this.labelNumberHalves);

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
  comment = new Int32Array(LIMITS.commentsMax);

  rejections: readonly PprofRejection[] = [];

  /** Values that a sample must have; set by the first sample, when all sample types usually came. -1: no sample yet. */
  valuesPerSample = -1;
  readonly wideIds = new WideIds();
  /** What was dropped so far, by DAMAGE. */
  readonly damage = new Int32Array(DAMAGE_KINDS);
  /** Of the sample that is being scanned. */
  valuesSeen = 0;
  isTooDeep = false;
  /** Most locations of a stack. */
  depthMax = 0;

  /** True when what is kept is both much and much more than a profile of `sizeBytes` needs. */
  isOversizedFor(sizeBytes: number): boolean {
    // The columns that make up most of an arena; summing all of them costs more than it saves.
    const bytes =
      this.sampleLocation.byteLength +
      this.sampleValueHalves.byteLength +
      this.labelNumberHalves.byteLength * 3 +
      this.stringStart.byteLength * 2 +
      this.locationId.byteLength * 6 +
      this.lineFunction.byteLength * 5 +
      this.functionId.byteLength * 6;
    return bytes > KEPT_BYTES_MAX && bytes > sizeBytes * BYTES_PER_PROFILE_BYTE;
  }

  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.stringCount = 0;
    this.sampleTypeCount = 0;
    this.mappingCount = 0;
    this.functionCount = 0;
    this.locationCount = 0;
    this.lineCount = 0;
    this.sampleCount = 0;
    this.entryCount = 0;
    this.labelCount = 0;
    this.timeNs = 0n;
    this.durationNs = 0n;
    this.period = 0n;
    this.periodType = 0;
    this.periodUnit = 0;
    this.dropFrames = 0;
    this.keepFrames = 0;
    this.defaultSampleType = 0;
    this.docUrl = 0;
    this.commentCount = 0;
    this.rejections = [];
    this.valuesPerSample = -1;
    this.wideIds.clear();
    this.damage.fill(0);
    this.depthMax = 0;
  }

  growStrings(): void {
    const { length } = this.stringStart;
    const grown = grownLength(length, length + 1, LIMITS.symbolsPerProfileMax, 'strings');
    this.stringStart = copyInt(this.stringStart, grown);
    this.stringEnd = copyInt(this.stringEnd, grown);
  }

  growMappings(): void {
    const { length } = this.mappingId;
    const grown = grownLength(length, length + 1, LIMITS.symbolsPerProfileMax, 'mappings');
    this.mappingId = copyInt(this.mappingId, grown);
    this.mappingFile = copyInt(this.mappingFile, grown);
    this.mappingBuildId = copyInt(this.mappingBuildId, grown);
    this.mappingStartHalves = copyHalves(this.mappingStartHalves, grown);
    this.mappingLimitHalves = copyHalves(this.mappingLimitHalves, grown);
    this.mappingOffsetHalves = copyHalves(this.mappingOffsetHalves, grown);
    this.mappingStart = asBigUint64(this.mappingStartHalves);
    this.mappingLimit = asBigUint64(this.mappingLimitHalves);
    this.mappingOffset = asBigUint64(this.mappingOffsetHalves);
  }

  growFunctions(): void {
    const { length } = this.functionId;
    const grown = grownLength(length, length + 1, LIMITS.symbolsPerProfileMax, 'functions');
    this.functionId = copyInt(this.functionId, grown);
    this.functionName = copyInt(this.functionName, grown);
    this.functionSystemName = copyInt(this.functionSystemName, grown);
    this.functionFile = copyInt(this.functionFile, grown);
    this.functionStartHalves = copyHalves(this.functionStartHalves, grown);
    this.functionStartLine = asBigInt64(this.functionStartHalves);
  }

  growLocations(): void {
    const { length } = this.locationId;
    const grown = grownLength(length, length + 1, LIMITS.symbolsPerProfileMax, 'locations');
    this.locationId = copyInt(this.locationId, grown);
    this.locationMapping = copyInt(this.locationMapping, grown);
    this.locationAddressHalves = copyHalves(this.locationAddressHalves, grown);
    this.locationAddress = asBigUint64(this.locationAddressHalves);
    const folded = new Uint8Array(grown);
    folded.set(this.locationFolded);
    this.locationFolded = folded;
    this.locationFirstLine = copyInt(this.locationFirstLine, grown + 1);
  }

  growLines(): void {
    const { length } = this.lineFunction;
    const grown = grownLength(length, length + 1, LIMITS.symbolsPerProfileMax, 'lines');
    this.lineFunction = copyInt(this.lineFunction, grown);
    this.lineLineHalves = copyHalves(this.lineLineHalves, grown);
    this.lineColumnHalves = copyHalves(this.lineColumnHalves, grown);
    this.lineLine = asBigInt64(this.lineLineHalves);
    this.lineColumn = asBigInt64(this.lineColumnHalves);
  }

  growSamples(): void {
    const length = this.sampleFirstLocation.length - 1;
    const grown = grownLength(length, length + 1, LIMITS.samplesPerProfileMax, 'samples');
    this.sampleFirstLocation = copyInt(this.sampleFirstLocation, grown + 1);
    this.sampleFirstLabel = copyInt(this.sampleFirstLabel, grown + 1);
  }

  /** Room for `needed` values in all. */
  growValues(needed: number): void {
    const length = this.sampleValue.length;
    const grown = grownLength(length, needed, LIMITS.entriesPerProfileMax, 'values');
    this.sampleValueHalves = copyHalves(this.sampleValueHalves, grown);
    this.sampleValue = asBigInt64(this.sampleValueHalves);
  }

  /** Room for `needed` locations of stacks in all. */
  growEntries(needed: number): void {
    const { length } = this.sampleLocation;
    const grown = grownLength(length, needed, LIMITS.entriesPerProfileMax, 'locations of stacks');
    this.sampleLocation = copyInt(this.sampleLocation, grown);
  }

  growLabels(): void {
    const { length } = this.labelKey;
    const grown = grownLength(length, length + 1, LIMITS.entriesPerProfileMax, 'labels');
    this.labelKey = copyInt(this.labelKey, grown);
    this.labelString = copyInt(this.labelString, grown);
    this.labelUnit = copyInt(this.labelUnit, grown);
    this.labelNumberHalves = copyHalves(this.labelNumberHalves, grown);
    this.labelNumber = asBigInt64(this.labelNumberHalves);
  }
}
