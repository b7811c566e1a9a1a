/**
 * One pass over the bytes of a plain pprof into an arena. Fields may come in any order, packed or not; unknown ones
 * are skipped. Nothing is looked up here: what refers to something that may come later is kept as the sender wrote
 * it, and resolve.ts turns it into indexes.
 *
 * A tag's low three bits are the wire type, the others the field number: 0x12 is field 2 (2 << 3) of wire type 2,
 * length-delimited. Field numbers are those of github.com/google/pprof, proto/profile.proto.
 */
import { LIMITS } from '../../base/limits.js';
import { type PprofArena, tooMany } from './arena.js';
import { DAMAGE } from './damage.js';
import { asIndex, asSigned, readLength, readVarint, skipField, VARINT } from './wire.js';

/** The string number of a label's `str` that cannot be one: -1 already says that the label is numeric. */
export const BAD_LABEL_STRING = -2;
/** A packed list with more bytes may have more locations than a stack keeps: the last of them are looked for first. */
const STACK_BYTES_MAX = LIMITS.stackDepthMax * 10;

/** The id read last as a token (id-table.ts). */
function asToken(a: PprofArena): number {
  const low = VARINT[0]!;
  const high = VARINT[1]!;
  return high === 0 && low >= 0 ? low : ~a.wideIds.intern(low, high);
}

export function scanProfile(a: PprofArena): void {
  const { bytes } = a;
  const end = bytes.length;
  let at = 0;
  while (at < end) {
    const tag = bytes[at++]!;
    if ((tag & 7) === 2 && tag <= 0x5a) {
      at = readLength(bytes, at, end);
      const stop = at + VARINT[0]!;
      if (tag === 0x32) scanString(a, at, stop);
      else if (tag === 0x22) scanLocation(a, at, stop);
      else if (tag === 0x2a) scanFunction(a, at, stop);
      else if (tag === 0x12) scanSample(a, at, stop);
      else if (tag === 0x1a) scanMapping(a, at, stop);
      else if (tag === 0x0a) scanSampleType(a, at, stop);
      else if (tag === 0x5a) scanPeriodType(a, at, stop);
      else skipField(bytes, at - 1, end, 15);
      at = stop;
    } else {
      at = scanHeaderField(a, tag, at);
    }
  }
}

/** The fields that come once, and what is unknown. `at` is after the tag. */
function scanHeaderField(a: PprofArena, tag: number, at: number): number {
  const { bytes } = a;
  const end = bytes.length;
  if (tag === 0x6a) return scanPackedComments(a, at);
  if ((tag & 7) !== 0 || tag < 0x38 || tag > 0x78) return skipField(bytes, at - 1, end, 15);
  const next = readVarint(bytes, at, end);
  if (tag === 0x48) a.timeNs = asSigned();
  else if (tag === 0x50) a.durationNs = asSigned();
  else if (tag === 0x60) a.period = asSigned();
  else if (tag === 0x38) a.dropFrames = asIndex();
  else if (tag === 0x40) a.keepFrames = asIndex();
  else if (tag === 0x68) addComment(a);
  else if (tag === 0x70) a.defaultSampleType = asIndex();
  else if (tag === 0x78) a.docUrl = asIndex();
  else return skipField(bytes, at - 1, end, 15);
  return next;
}

function addComment(a: PprofArena): void {
  if (a.commentCount < LIMITS.commentsMax) a.comment[a.commentCount++] = asIndex();
  else a.damage[DAMAGE.comments]!++;
}

function scanPackedComments(a: PprofArena, start: number): number {
  let at = readLength(a.bytes, start, a.bytes.length);
  const stop = at + VARINT[0]!;
  while (at < stop) {
    at = readVarint(a.bytes, at, stop);
    addComment(a);
  }
  return at;
}

function scanString(a: PprofArena, start: number, end: number): void {
  const string = a.stringCount;
  if (string === a.stringStart.length) a.growStrings();
  a.stringStart[string] = start;
  a.stringEnd[string] = end;
  a.stringCount = string + 1;
}

/** ValueType: type 1, unit 2. */
function scanSampleType(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const index = a.sampleTypeCount;
  if (index === LIMITS.sampleTypesMax) throw tooMany('sample types', LIMITS.sampleTypesMax);
  a.sampleTypeType[index] = 0;
  a.sampleTypeUnit[index] = 0;
  let at = start;
  while (at < end) {
    const tag = bytes[at++]!;
    if (tag === 0x08) {
      at = readVarint(bytes, at, end);
      a.sampleTypeType[index] = asIndex();
    } else if (tag === 0x10) {
      at = readVarint(bytes, at, end);
      a.sampleTypeUnit[index] = asIndex();
    } else at = skipField(bytes, at - 1, end, 2);
  }
  a.sampleTypeCount = index + 1;
}

/** A second one merges into the first field by field, as for every message that comes once. */
function scanPeriodType(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  let at = start;
  while (at < end) {
    const tag = bytes[at++]!;
    if (tag === 0x08) {
      at = readVarint(bytes, at, end);
      a.periodType = asIndex();
    } else if (tag === 0x10) {
      at = readVarint(bytes, at, end);
      a.periodUnit = asIndex();
    } else at = skipField(bytes, at - 1, end, 2);
  }
}

/** id 1, memory_start 2, memory_limit 3, file_offset 4, filename 5, build_id 6; the flags 7 to 10 are derived. */
function scanMapping(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const index = a.mappingCount;
  if (index === a.mappingId.length) a.growMappings();
  a.mappingId[index] = 0;
  a.mappingFile[index] = 0;
  a.mappingBuildId[index] = 0;
  setHalves(a.mappingStartHalves, index, 0, 0);
  setHalves(a.mappingLimitHalves, index, 0, 0);
  setHalves(a.mappingOffsetHalves, index, 0, 0);
  let at = start;
  while (at < end) {
    const tag = bytes[at]!;
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x50) {
      at = skipField(bytes, at, end, 10);
      continue;
    }
    at = readVarint(bytes, at + 1, end);
    if (tag === 0x08) a.mappingId[index] = asToken(a);
    else if (tag === 0x10) setHalves(a.mappingStartHalves, index, VARINT[0]!, VARINT[1]!);
    else if (tag === 0x18) setHalves(a.mappingLimitHalves, index, VARINT[0]!, VARINT[1]!);
    else if (tag === 0x20) setHalves(a.mappingOffsetHalves, index, VARINT[0]!, VARINT[1]!);
    else if (tag === 0x28) a.mappingFile[index] = asIndex();
    else if (tag === 0x30) a.mappingBuildId[index] = asIndex();
  }
  a.mappingCount = index + 1;
}

function setHalves(halves: Int32Array, index: number, low: number, high: number): void {
  halves[index * 2] = low;
  halves[index * 2 + 1] = high;
}

/** id 1, name 2, system_name 3, filename 4, start_line 5. */
function scanFunction(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const index = a.functionCount;
  if (index === a.functionId.length) a.growFunctions();
  let id = 0;
  let name = 0;
  let systemName = 0;
  let file = 0;
  setHalves(a.functionStartHalves, index, 0, 0);
  let at = start;
  while (at < end) {
    const tag = bytes[at]!;
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x28) {
      at = skipField(bytes, at, end, 5);
      continue;
    }
    at = readNumber(bytes, at + 1, end);
    if (tag === 0x08) id = asToken(a);
    else if (tag === 0x10) name = asIndex();
    else if (tag === 0x18) systemName = asIndex();
    else if (tag === 0x20) file = asIndex();
    else setHalves(a.functionStartHalves, index, VARINT[0]!, VARINT[1]!);
  }
  a.functionId[index] = id;
  a.functionName[index] = name;
  a.functionSystemName[index] = systemName;
  a.functionFile[index] = file;
  a.functionCount = index + 1;
}

/** `readVarint` with the two lengths that nearly all numbers of symbols have in front. */
function readNumber(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 < end) {
    const first = bytes[at]!;
    if (first < 0x80) {
      VARINT[0] = first;
      VARINT[1] = 0;
      return at + 1;
    }
    const second = bytes[at + 1]!;
    if (second < 0x80) {
      VARINT[0] = (first & 0x7f) | (second << 7);
      VARINT[1] = 0;
      return at + 2;
    }
  }
  return readVarint(bytes, at, end);
}

/** id 1, mapping_id 2, address 3, line 4, is_folded 5. */
function scanLocation(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const index = a.locationCount;
  if (index === a.locationId.length) a.growLocations();
  let id = 0;
  let mapping = 0;
  let folded = 0;
  setHalves(a.locationAddressHalves, index, 0, 0);
  a.locationFirstLine[index] = a.lineCount;
  let at = start;
  while (at < end) {
    const tag = bytes[at]!;
    if (tag === 0x22) {
      at = readLength(bytes, at + 1, end);
      const stop = at + VARINT[0]!;
      scanLine(a, at, stop);
      at = stop;
      continue;
    }
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x28 || tag === 0x20) {
      at = skipField(bytes, at, end, 5);
      continue;
    }
    at = readNumber(bytes, at + 1, end);
    if (tag === 0x08) id = asToken(a);
    else if (tag === 0x10) mapping = asToken(a);
    else if (tag === 0x18) setHalves(a.locationAddressHalves, index, VARINT[0]!, VARINT[1]!);
    else folded = VARINT[0] === 0 && VARINT[1] === 0 ? 0 : 1;
  }
  a.locationId[index] = id;
  a.locationMapping[index] = mapping;
  a.locationFolded[index] = folded;
  a.locationCount = index + 1;
}

/** function_id 1, line 2, column 3. */
function scanLine(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const index = a.lineCount;
  if (index === a.lineFunction.length) a.growLines();
  let functionId = 0;
  setHalves(a.lineLineHalves, index, 0, 0);
  setHalves(a.lineColumnHalves, index, 0, 0);
  let at = start;
  while (at < end) {
    const tag = bytes[at]!;
    if (tag !== 0x08 && tag !== 0x10 && tag !== 0x18) {
      at = skipField(bytes, at, end, 3);
      continue;
    }
    at = readNumber(bytes, at + 1, end);
    if (tag === 0x08) functionId = asToken(a);
    else if (tag === 0x10) setHalves(a.lineLineHalves, index, VARINT[0]!, VARINT[1]!);
    else setHalves(a.lineColumnHalves, index, VARINT[0]!, VARINT[1]!);
  }
  a.lineFunction[index] = functionId;
  a.lineCount = index + 1;
}

/**
 * location_id 1, value 2, label 3. A sample that cannot be kept is counted and leaves nothing behind; of a stack that is
 * too deep the locations nearest to the root stay, of too many labels the first.
 */
function scanSample(a: PprofArena, start: number, end: number): void {
  const { bytes } = a;
  const sample = a.sampleCount;
  if (sample + 1 === a.sampleFirstLocation.length) a.growSamples();
  if (a.valuesPerSample < 0) a.valuesPerSample = a.sampleTypeCount;
  const valuesNeeded = (sample + 1) * a.valuesPerSample;
  if (valuesNeeded > a.sampleValue.length) a.growValues(valuesNeeded);
  const firstEntry = a.entryCount;
  const firstLabel = a.labelCount;
  a.valuesSeen = 0;
  a.isTooDeep = false;
  let at = start;
  while (at < end) {
    const tag = bytes[at]!;
    if (tag === 0x0a) at = scanPackedLocations(a, at + 1, end);
    else if (tag === 0x12) at = scanPackedValues(a, at + 1, end);
    else if (tag === 0x1a) at = scanLabel(a, at + 1, end);
    else if (tag === 0x08) {
      at = readVarint(bytes, at + 1, end);
      if (a.entryCount === a.sampleLocation.length) a.growEntries(a.entryCount + 1);
      a.sampleLocation[a.entryCount++] = asToken(a);
    } else if (tag === 0x10) {
      at = readVarint(bytes, at + 1, end);
      addValue(a, VARINT[0]!, VARINT[1]!);
    } else at = skipField(bytes, at, end, 3);
  }
  if (a.valuesSeen !== a.valuesPerSample) {
    a.damage[DAMAGE.sampleValues]!++;
    a.entryCount = firstEntry;
    a.labelCount = firstLabel;
    return;
  }
  let depth = a.entryCount - firstEntry;
  if (a.isTooDeep || depth > LIMITS.stackDepthMax) {
    a.damage[DAMAGE.stackDepth]!++;
    if (depth > LIMITS.stackDepthMax) {
      depth = LIMITS.stackDepthMax;
      a.sampleLocation.copyWithin(firstEntry, a.entryCount - depth, a.entryCount);
      a.entryCount = firstEntry + depth;
    }
  }
  if (a.labelCount - firstLabel > LIMITS.labelsPerSampleMax) {
    a.damage[DAMAGE.sampleLabels]!++;
    a.labelCount = firstLabel + LIMITS.labelsPerSampleMax;
  }
  if (depth > a.depthMax) a.depthMax = depth;
  a.sampleFirstLocation[sample + 1] = a.entryCount;
  a.sampleFirstLabel[sample + 1] = a.labelCount;
  a.sampleCount = sample + 1;
}

function scanPackedLocations(a: PprofArena, start: number, end: number): number {
  const { bytes } = a;
  let at = readLength(bytes, start, end);
  let length = VARINT[0]!;
  const stop = at + length;
  if (length > STACK_BYTES_MAX) {
    const kept = lastVarints(bytes, at, stop, LIMITS.stackDepthMax);
    a.isTooDeep = kept > at;
    at = kept;
    length = stop - at;
  }
  let entry = a.entryCount;
  if (entry + length > a.sampleLocation.length) a.growEntries(entry + length);
  const entries = a.sampleLocation;
  while (at < stop) {
    const first = bytes[at]!;
    if (first < 0x80) {
      entries[entry++] = first;
      at++;
      continue;
    }
    const second = at + 1 < stop ? bytes[at + 1]! : 0x80;
    if (second < 0x80) {
      entries[entry++] = (first & 0x7f) | (second << 7);
      at += 2;
    } else {
      at = readVarint(bytes, at, stop);
      entries[entry++] = asToken(a);
    }
  }
  a.entryCount = entry;
  return at;
}

/** Where the last `count` of the varints [start, end) begin. */
function lastVarints(bytes: Uint8Array, start: number, end: number, count: number): number {
  let at = end;
  for (let ends = 0; at > start; at--) {
    if (bytes[at - 1]! < 0x80 && ++ends > count) return at;
  }
  return start;
}

function scanPackedValues(a: PprofArena, start: number, end: number): number {
  const { bytes } = a;
  let at = readLength(bytes, start, end);
  const stop = at + VARINT[0]!;
  while (at < stop) {
    const first = bytes[at]!;
    if (first < 0x80) {
      addValue(a, first, 0);
      at++;
    } else {
      at = readVarint(bytes, at, stop);
      addValue(a, VARINT[0]!, VARINT[1]!);
    }
  }
  return at;
}

function addValue(a: PprofArena, low: number, high: number): void {
  const seen = a.valuesSeen++;
  if (seen < a.valuesPerSample) {
    setHalves(a.sampleValueHalves, a.sampleCount * a.valuesPerSample + seen, low, high);
  }
}

/** key 1, str 2, num 3, num_unit 4. `str` wins over `num`; a label with neither is the number 0. */
function scanLabel(a: PprofArena, start: number, end: number): number {
  const { bytes } = a;
  let at = readLength(bytes, start, end);
  const stop = at + VARINT[0]!;
  const index = a.labelCount;
  if (index === a.labelKey.length) a.growLabels();
  let key = 0;
  let string = 0;
  let unit = 0;
  let low = 0;
  let high = 0;
  while (at < stop) {
    const tag = bytes[at]!;
    if (tag !== 0x08 && tag !== 0x10 && tag !== 0x18 && tag !== 0x20) {
      at = skipField(bytes, at, stop, 4);
      continue;
    }
    at = readNumber(bytes, at + 1, stop);
    if (tag === 0x08) key = asIndex();
    else if (tag === 0x10) string = asIndex();
    else if (tag === 0x20) unit = asIndex();
    else {
      low = VARINT[0]!;
      high = VARINT[1]!;
    }
  }
  const isNumber = string === 0;
  a.labelKey[index] = key;
  a.labelString[index] = isNumber ? -1 : string < 0 ? BAD_LABEL_STRING : string;
  a.labelUnit[index] = isNumber ? unit : 0;
  setHalves(a.labelNumberHalves, index, isNumber ? low : 0, isNumber ? high : 0);
  a.labelCount = index + 1;
  return at;
}
