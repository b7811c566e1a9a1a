/**
 * One pass over the bytes of a plain pprof into columns. Fields may come in any order, packed or not; unknown ones
 * are skipped. Nothing is looked up here: what refers to something that may come later is kept as the sender wrote
 * it, and resolve.ts turns it into indexes.
 *
 * A tag's low three bits are the wire type, the others the field number: 0x12 is field 2 (2 << 3) of wire type 2,
 * length-delimited. Field numbers are those of github.com/google/pprof, proto/profile.proto.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { set, setSlot, setWide, setWideSlot, slot } from '../memory';
import * as C from './columns';
import { clearHeader, countDamage, fail, profileAt } from './header';
import { asToken, wideIds } from './ids';
import { unpackedTo, unpackShort } from './packed';
import { asIndex, number, readLength, readVarint, skipField } from './wire';

/** The string number of a label's `str` that cannot be one: -1 already says that the label is numeric. */
const BAD_LABEL_STRING = -2;

export let stringCount: i32 = 0;
export let sampleTypeCount: i32 = 0;
export let mappingCount: i32 = 0;
export let functionCount: i32 = 0;
export let locationCount: i32 = 0;
export let lineCount: i32 = 0;
export let sampleCount: i32 = 0;
export let commentCount: i32 = 0;
/** Elements of `sampleLocation`. */
export let entryCount: i32 = 0;
export let labelCount: i32 = 0;
/** Most locations of a stack. */
export let depthMax: i32 = 0;

/** Values that a sample must have; set by the first sample, when all sample types usually came. -1: no sample yet. */
let valuesPerSample: i32 = -1;
/** Of the sample that is being scanned. */
let valuesSeen: i32 = 0;
let isTooDeep: bool = false;

function begin(): void {
  clearHeader();
  wideIds.clear();
  stringCount = 0;
  sampleTypeCount = 0;
  mappingCount = 0;
  functionCount = 0;
  locationCount = 0;
  lineCount = 0;
  sampleCount = 0;
  commentCount = 0;
  entryCount = 0;
  labelCount = 0;
  depthMax = 0;
  set(C.sampleFirstLocation, 0, 0);
  set(C.sampleFirstLabel, 0, 0);
}

export function scanProfile(start: usize, end: usize): void {
  valuesPerSample = -1;
  scanFields(start, end);
  if (valuesPerSample < 0 || valuesPerSample === sampleTypeCount) return;
  // Sample types came after samples: scan again, now that their number is known.
  valuesPerSample = sampleTypeCount;
  scanFields(start, end);
}

function scanFields(start: usize, end: usize): void {
  begin();
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if ((tag & 7) !== 2 || tag > 0x5a) {
      at = scanHeaderField(tag, at, end);
      continue;
    }
    const body = readLength(at + 1, end);
    const stop = body + <usize>number;
    if (tag === 0x32) scanString(body, stop);
    else if (tag === 0x22) scanLocation(body, stop);
    else if (tag === 0x2a) scanFunction(body, stop);
    else if (tag === 0x12) scanSample(body, stop);
    else if (tag === 0x1a) scanMapping(body, stop);
    else if (tag === 0x0a) scanSampleType(body, stop);
    else if (tag === 0x5a) scanPeriodType(body, stop);
    else skipField(at, end, 15);
    at = stop;
  }
}

/** The fields that come once, and what is unknown. `at` is where the tag begins. */
function scanHeaderField(tag: u8, at: usize, end: usize): usize {
  if (tag === 0x6a) return scanPackedComments(at + 1, end);
  if ((tag & 7) !== 0 || tag < 0x38 || tag > 0x78) return skipField(at, end, 15);
  const next = readVarint(at + 1, end);
  if (tag === 0x48) setWideSlot(L.TIME_NS, number);
  else if (tag === 0x50) setWideSlot(L.DURATION_NS, number);
  else if (tag === 0x60) setWideSlot(L.PERIOD, number);
  else if (tag === 0x38) setSlot(L.DROP_FRAMES, asIndex());
  else if (tag === 0x40) setSlot(L.KEEP_FRAMES, asIndex());
  else if (tag === 0x68) addComment();
  else if (tag === 0x70) setSlot(L.DEFAULT_SAMPLE_TYPE, asIndex());
  else if (tag === 0x78) setSlot(L.DOC_URL, asIndex());
  else return skipField(at, end, 15);
  return next;
}

function addComment(): void {
  if (commentCount < slot(L.COMMENTS_MAX)) set(C.comment, commentCount++, asIndex());
  else countDamage(L.DAMAGE_COMMENTS);
}

function scanPackedComments(start: usize, end: usize): usize {
  let at = readLength(start, end);
  const stop = at + <usize>number;
  while (at < stop) {
    at = readVarint(at, stop);
    addComment();
  }
  return at;
}

function scanString(start: usize, end: usize): void {
  const index = stringCount;
  if (index === slot(L.STRING_CAPACITY)) C.failNoRoom(L.STRING_CAPACITY, L.MANY_STRINGS, L.SYMBOLS_MAX);
  set(C.stringStart, index, <i32>(start - profileAt));
  set(C.stringEnd, index, <i32>(end - profileAt));
  stringCount = index + 1;
}

/** ValueType: type 1, unit 2. */
function scanSampleType(start: usize, end: usize): void {
  const index = sampleTypeCount;
  if (index === slot(L.SAMPLE_TYPES_MAX)) {
    fail(L.TOO_MANY, profileAt, L.MANY_SAMPLE_TYPES, index);
  }
  set(C.sampleTypeType, index, 0);
  set(C.sampleTypeUnit, index, 0);
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag === 0x08) {
      at = readVarint(at + 1, end);
      set(C.sampleTypeType, index, asIndex());
    } else if (tag === 0x10) {
      at = readVarint(at + 1, end);
      set(C.sampleTypeUnit, index, asIndex());
    } else at = skipField(at, end, 2);
  }
  sampleTypeCount = index + 1;
}

/** A second one merges into the first field by field, as for every message that comes once. */
function scanPeriodType(start: usize, end: usize): void {
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag === 0x08) {
      at = readVarint(at + 1, end);
      setSlot(L.PERIOD_TYPE, asIndex());
    } else if (tag === 0x10) {
      at = readVarint(at + 1, end);
      setSlot(L.PERIOD_UNIT, asIndex());
    } else at = skipField(at, end, 2);
  }
}

/** id 1, memory_start 2, memory_limit 3, file_offset 4, filename 5, build_id 6; the flags 7 to 10 are derived. */
function scanMapping(start: usize, end: usize): void {
  const index = mappingCount;
  if (index === slot(L.MAPPING_CAPACITY)) C.failNoRoom(L.MAPPING_CAPACITY, L.MANY_MAPPINGS, L.SYMBOLS_MAX);
  set(C.mappingId, index, 0);
  set(C.mappingFile, index, 0);
  set(C.mappingBuildId, index, 0);
  setWide(C.mappingStart, index, 0);
  setWide(C.mappingLimit, index, 0);
  setWide(C.mappingOffset, index, 0);
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x50) {
      at = skipField(at, end, 10);
      continue;
    }
    at = readVarint(at + 1, end);
    if (tag === 0x08) set(C.mappingId, index, asToken());
    else if (tag === 0x10) setWide(C.mappingStart, index, number);
    else if (tag === 0x18) setWide(C.mappingLimit, index, number);
    else if (tag === 0x20) setWide(C.mappingOffset, index, number);
    else if (tag === 0x28) set(C.mappingFile, index, asIndex());
    else if (tag === 0x30) set(C.mappingBuildId, index, asIndex());
  }
  mappingCount = index + 1;
}

/** id 1, name 2, system_name 3, filename 4, start_line 5. */
function scanFunction(start: usize, end: usize): void {
  const index = functionCount;
  if (index === slot(L.FUNCTION_CAPACITY)) C.failNoRoom(L.FUNCTION_CAPACITY, L.MANY_FUNCTIONS, L.SYMBOLS_MAX);
  let id: i32 = 0;
  let name: i32 = 0;
  let systemName: i32 = 0;
  let file: i32 = 0;
  let startLine: u64 = 0;
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x28) {
      at = skipField(at, end, 5);
      continue;
    }
    at = readVarint(at + 1, end);
    if (tag === 0x08) id = asToken();
    else if (tag === 0x10) name = asIndex();
    else if (tag === 0x18) systemName = asIndex();
    else if (tag === 0x20) file = asIndex();
    else startLine = number;
  }
  set(C.functionId, index, id);
  set(C.functionName, index, name);
  set(C.functionSystemName, index, systemName);
  set(C.functionFile, index, file);
  setWide(C.functionStartLine, index, startLine);
  functionCount = index + 1;
}

/** id 1, mapping_id 2, address 3, line 4, is_folded 5. */
function scanLocation(start: usize, end: usize): void {
  const index = locationCount;
  if (index === slot(L.LOCATION_CAPACITY)) C.failNoRoom(L.LOCATION_CAPACITY, L.MANY_LOCATIONS, L.SYMBOLS_MAX);
  let id: i32 = 0;
  let mapping: i32 = 0;
  let address: u64 = 0;
  let folded: u8 = 0;
  set(C.locationFirstLine, index, lineCount);
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag === 0x22) {
      at = readLength(at + 1, end);
      const stop = at + <usize>number;
      scanLine(at, stop);
      at = stop;
      continue;
    }
    if ((tag & 7) !== 0 || tag < 0x08 || tag > 0x28 || tag === 0x20) {
      at = skipField(at, end, 5);
      continue;
    }
    at = readVarint(at + 1, end);
    if (tag === 0x08) id = asToken();
    else if (tag === 0x10) mapping = asToken();
    else if (tag === 0x18) address = number;
    else folded = number === 0 ? 0 : 1;
  }
  set(C.locationId, index, id);
  set(C.locationMapping, index, mapping);
  setWide(C.locationAddress, index, address);
  store<u8>(C.locationFolded + <usize>index, folded);
  locationCount = index + 1;
}

/** function_id 1, line 2, column 3. */
function scanLine(start: usize, end: usize): void {
  const index = lineCount;
  if (index === slot(L.LINE_CAPACITY)) C.failNoRoom(L.LINE_CAPACITY, L.MANY_LINES, L.SYMBOLS_MAX);
  let functionId: i32 = 0;
  let line: u64 = 0;
  let column: u64 = 0;
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag !== 0x08 && tag !== 0x10 && tag !== 0x18) {
      at = skipField(at, end, 3);
      continue;
    }
    at = readVarint(at + 1, end);
    if (tag === 0x08) functionId = asToken();
    else if (tag === 0x10) line = number;
    else column = number;
  }
  set(C.lineFunction, index, functionId);
  setWide(C.lineLine, index, line);
  setWide(C.lineColumn, index, column);
  lineCount = index + 1;
}

/**
 * location_id 1, value 2, label 3. A sample that cannot be kept is counted and leaves nothing behind; of a stack that is
 * too deep the locations nearest to the root stay, of too many labels the first.
 */
function scanSample(start: usize, end: usize): void {
  const sample = sampleCount;
  if (sample === slot(L.SAMPLE_CAPACITY)) {
    C.failNoRoom(L.SAMPLE_CAPACITY, L.MANY_SAMPLES, L.SAMPLES_MAX);
  }
  if (valuesPerSample < 0) valuesPerSample = sampleTypeCount;
  if ((<i64>sample + 1) * valuesPerSample > <i64>slot(L.VALUE_CAPACITY)) {
    C.failNoRoom(L.VALUE_CAPACITY, L.MANY_VALUES, L.ENTRIES_MAX);
  }
  const firstEntry = entryCount;
  const firstLabel = labelCount;
  valuesSeen = 0;
  isTooDeep = false;
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag === 0x0a) at = scanPackedLocations(at + 1, end);
    else if (tag === 0x12) at = scanPackedValues(at + 1, end);
    else if (tag === 0x1a) at = scanLabel(at + 1, end);
    else if (tag === 0x08) {
      at = readVarint(at + 1, end);
      reserveEntries(1);
      set(C.sampleLocation, entryCount++, asToken());
    } else if (tag === 0x10) {
      at = readVarint(at + 1, end);
      addValue();
    } else at = skipField(at, end, 3);
  }
  if (valuesSeen !== valuesPerSample) {
    countDamage(L.DAMAGE_SAMPLE_VALUES);
    entryCount = firstEntry;
    labelCount = firstLabel;
    return;
  }
  cutSample(firstEntry, firstLabel);
  set(C.sampleFirstLocation, sample + 1, entryCount);
  set(C.sampleFirstLabel, sample + 1, labelCount);
  sampleCount = sample + 1;
}

function cutSample(firstEntry: i32, firstLabel: i32): void {
  const stackDepthMax = slot(L.STACK_DEPTH_MAX);
  let depth = entryCount - firstEntry;
  if (isTooDeep || depth > stackDepthMax) {
    countDamage(L.DAMAGE_STACK_DEPTH);
    if (depth > stackDepthMax) {
      depth = stackDepthMax;
      const to = C.sampleLocation + ((<usize>firstEntry) << 2);
      memory.copy(to, C.sampleLocation + ((<usize>(entryCount - depth)) << 2), (<usize>depth) << 2);
      entryCount = firstEntry + depth;
    }
  }
  const labelsMax = slot(L.SAMPLE_LABELS_MAX);
  if (labelCount - firstLabel > labelsMax) {
    countDamage(L.DAMAGE_SAMPLE_LABELS);
    labelCount = firstLabel + labelsMax;
  }
  if (depth > depthMax) depthMax = depth;
}

function reserveEntries(count: usize): void {
  if (<usize>entryCount + count > <usize>slot(L.ENTRY_CAPACITY)) {
    C.failNoRoom(L.ENTRY_CAPACITY, L.MANY_ENTRIES, L.ENTRIES_MAX);
  }
}

function scanPackedLocations(start: usize, end: usize): usize {
  let at = readLength(start, end);
  const stop = at + <usize>number;
  const stackDepthMax = slot(L.STACK_DEPTH_MAX);
  if (stop - at > <usize>stackDepthMax * 10) {
    const kept = lastVarints(at, stop, stackDepthMax);
    isTooDeep = kept > at;
    at = kept;
  }
  reserveEntries(stop - at);
  let entry = C.sampleLocation + ((<usize>entryCount) << 2);
  while (at < stop) {
    at = unpackShort(at, stop, entry);
    entry = unpackedTo;
    if (at === stop) break;
    at = readVarint(at, stop);
    store<i32>(entry, asToken());
    entry += 4;
  }
  entryCount = <i32>((entry - C.sampleLocation) >> 2);
  return at;
}

/** Where the last `count` of the varints [start, end) begin. */
function lastVarints(start: usize, end: usize, count: i32): usize {
  let ends = 0;
  for (let at = end; at > start; at--) {
    if (load<u8>(at - 1) < 0x80 && ++ends > count) return at;
  }
  return start;
}

function scanPackedValues(start: usize, end: usize): usize {
  let at = readLength(start, end);
  const stop = at + <usize>number;
  while (at < stop) {
    at = readVarint(at, stop);
    addValue();
  }
  return at;
}

/** The number read last. */
function addValue(): void {
  const seen = valuesSeen++;
  if (seen < valuesPerSample) setWide(C.sampleValue, sampleCount * valuesPerSample + seen, number);
}

/** key 1, str 2, num 3, num_unit 4. `str` wins over `num`; a label with neither is the number 0. */
function scanLabel(start: usize, end: usize): usize {
  let at = readLength(start, end);
  const stop = at + <usize>number;
  const index = labelCount;
  if (index === slot(L.LABEL_CAPACITY)) C.failNoRoom(L.LABEL_CAPACITY, L.MANY_LABELS, L.ENTRIES_MAX);
  let key: i32 = 0;
  let string: i32 = 0;
  let unit: i32 = 0;
  let value: u64 = 0;
  while (at < stop) {
    const tag = load<u8>(at);
    if (tag !== 0x08 && tag !== 0x10 && tag !== 0x18 && tag !== 0x20) {
      at = skipField(at, stop, 4);
      continue;
    }
    at = readVarint(at + 1, stop);
    if (tag === 0x08) key = asIndex();
    else if (tag === 0x10) string = asIndex();
    else if (tag === 0x20) unit = asIndex();
    else value = number;
  }
  const isNumber = string === 0;
  set(C.labelKey, index, key);
  set(C.labelString, index, isNumber ? -1 : string < 0 ? BAD_LABEL_STRING : string);
  set(C.labelUnit, index, isNumber ? unit : 0);
  setWide(C.labelNumber, index, isNumber ? value : 0);
  labelCount = index + 1;
  return at;
}
