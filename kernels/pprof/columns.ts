/**
 * The columns of a decoded profile: blocks of memory kept from one profile to the next. Nothing moves while a profile is
 * read: a scan that finds no room stops, room is made for what count.ts counts, and it begins again. While it is scanned,
 * references hold the sender's ids as tokens (ids.ts) and string numbers unchecked, -1 for those that cannot be;
 * resolve.ts turns them into indexes.
 *
 * 32-bit columns lie after the 64-bit ones of their group, which therefore are aligned.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { exchange, getWide, setSlot, setWide, slot } from '../memory';
import { fail, profileAt } from './header';
import { SLACK } from './packed';

export let stringStart: usize = 0;
export let stringEnd: usize = 0;

export let sampleTypeType: usize = 0;
export let sampleTypeUnit: usize = 0;
export let comment: usize = 0;

export let mappingStart: usize = 0;
export let mappingLimit: usize = 0;
export let mappingOffset: usize = 0;
export let mappingId: usize = 0;
export let mappingFile: usize = 0;
export let mappingBuildId: usize = 0;

export let functionStartLine: usize = 0;
export let functionId: usize = 0;
export let functionName: usize = 0;
export let functionSystemName: usize = 0;
export let functionFile: usize = 0;

export let locationAddress: usize = 0;
export let locationId: usize = 0;
export let locationMapping: usize = 0;
/** One element more than locations, as `sampleFirst...` of samples: a column is a little longer than its capacity. */
export let locationFirstLine: usize = 0;
/** Bytes. */
export let locationFolded: usize = 0;

export let lineLine: usize = 0;
export let lineColumn: usize = 0;
export let lineFunction: usize = 0;

export let sampleFirstLocation: usize = 0;
export let sampleFirstLabel: usize = 0;
export let sampleLocation: usize = 0;
export let sampleValue: usize = 0;

export let labelNumber: usize = 0;
export let labelKey: usize = 0;
export let labelString: usize = 0;
export let labelUnit: usize = 0;

export function moveWide(column: usize, from: i32, to: i32): void {
  setWide(column, to, getWide(column, from));
}

const ROOM_FIRST: i64 = 64;
/** Elements more than needed, so that not every slightly larger profile moves them. */
const SPARE_MAX: i64 = 1 << 20;

/** Where the next column of a group begins, and how many elements each has. */
let next: usize = 0;
let length: usize = 0;

/**
 * Another block for a group's columns, for `needed` elements, of which there may be `max`, of `elementBytes` in all
 * columns together. False when there is room already.
 */
function reserve(block: usize, capacitySlot: i32, needed: i64, max: i32, elementBytes: usize): bool {
  const old = slot(capacitySlot);
  if (needed <= old || old === slot(max)) return false;
  const capacity = min(needed + min(needed >> 1, SPARE_MAX), <i64>slot(max));
  length = (<usize>capacity + SLACK) & ~(<usize>15);
  next = exchange(block, length * elementBytes);
  setSlot(capacitySlot, <i32>capacity);
  setSlot(L.LAYOUT, slot(L.LAYOUT) + 1);
  return true;
}

/** Stops a scan that found no room. */
export function failNoRoom(capacitySlot: i32, what: i32, max: i32): void {
  if (slot(capacitySlot) < slot(max)) fail(L.NO_ROOM, profileAt);
  fail(L.TOO_MANY, profileAt, what, slot(max));
}

/** The group's next column; `address` is its slot of the header, or -1 for one that JavaScript does not read. */
function column(address: i32, elementBytes: usize): usize {
  const at = next;
  next += length * elementBytes;
  if (address >= 0) setSlot(address, <i32>at);
  return at;
}

/** Those of a fixed size, and some room in the others. */
export function reserveFirst(): void {
  const types = <usize>slot(L.SAMPLE_TYPES_MAX);
  const comments = <usize>slot(L.COMMENTS_MAX);
  sampleTypeType = heap.alloc((types * 2 + comments) << 2);
  sampleTypeUnit = sampleTypeType + (types << 2);
  comment = sampleTypeUnit + (types << 2);
  setSlot(L.SAMPLE_TYPE_TYPE, <i32>sampleTypeType);
  setSlot(L.SAMPLE_TYPE_UNIT, <i32>sampleTypeUnit);
  setSlot(L.COMMENT, <i32>comment);
  reserveStrings(ROOM_FIRST);
  reserveMappings(ROOM_FIRST);
  reserveFunctions(ROOM_FIRST);
  reserveLocations(ROOM_FIRST);
  reserveLines(ROOM_FIRST);
  reserveSamples(ROOM_FIRST);
  reserveEntries(ROOM_FIRST);
  reserveValues(ROOM_FIRST);
  reserveLabels(ROOM_FIRST);
}

export function reserveStrings(count: i64): void {
  if (!reserve(stringStart, L.STRING_CAPACITY, count, L.SYMBOLS_MAX, 8)) return;
  stringStart = column(L.STRING_START, 4);
  stringEnd = column(L.STRING_END, 4);
}

export function reserveMappings(count: i64): void {
  if (!reserve(mappingStart, L.MAPPING_CAPACITY, count, L.SYMBOLS_MAX, 36)) return;
  mappingStart = column(L.MAPPING_START, 8);
  mappingLimit = column(L.MAPPING_LIMIT, 8);
  mappingOffset = column(L.MAPPING_OFFSET, 8);
  mappingId = column(-1, 4);
  mappingFile = column(L.MAPPING_FILE, 4);
  mappingBuildId = column(L.MAPPING_BUILD_ID, 4);
}

export function reserveFunctions(count: i64): void {
  if (!reserve(functionStartLine, L.FUNCTION_CAPACITY, count, L.SYMBOLS_MAX, 24)) return;
  functionStartLine = column(L.FUNCTION_START_LINE, 8);
  functionId = column(-1, 4);
  functionName = column(L.FUNCTION_NAME, 4);
  functionSystemName = column(L.FUNCTION_SYSTEM_NAME, 4);
  functionFile = column(L.FUNCTION_FILE, 4);
}

export function reserveLocations(count: i64): void {
  if (!reserve(locationAddress, L.LOCATION_CAPACITY, count, L.SYMBOLS_MAX, 21)) return;
  locationAddress = column(L.LOCATION_ADDRESS, 8);
  locationId = column(-1, 4);
  locationMapping = column(L.LOCATION_MAPPING, 4);
  locationFirstLine = column(L.LOCATION_FIRST_LINE, 4);
  locationFolded = column(L.LOCATION_FOLDED, 1);
}

export function reserveLines(count: i64): void {
  if (!reserve(lineLine, L.LINE_CAPACITY, count, L.SYMBOLS_MAX, 20)) return;
  lineLine = column(L.LINE_LINE, 8);
  lineColumn = column(L.LINE_COLUMN, 8);
  lineFunction = column(L.LINE_FUNCTION, 4);
}

export function reserveSamples(count: i64): void {
  if (!reserve(sampleFirstLocation, L.SAMPLE_CAPACITY, count, L.SAMPLES_MAX, 8)) return;
  sampleFirstLocation = column(L.SAMPLE_FIRST_LOCATION, 4);
  sampleFirstLabel = column(L.SAMPLE_FIRST_LABEL, 4);
}

export function reserveEntries(count: i64): void {
  if (reserve(sampleLocation, L.ENTRY_CAPACITY, count, L.ENTRIES_MAX, 4)) {
    sampleLocation = column(L.SAMPLE_LOCATION, 4);
  }
}

export function reserveValues(count: i64): void {
  if (reserve(sampleValue, L.VALUE_CAPACITY, count, L.ENTRIES_MAX, 8)) {
    sampleValue = column(L.SAMPLE_VALUE, 8);
  }
}

export function reserveLabels(count: i64): void {
  if (!reserve(labelNumber, L.LABEL_CAPACITY, count, L.ENTRIES_MAX, 20)) return;
  labelNumber = column(L.LABEL_NUMBER, 8);
  labelKey = column(L.LABEL_KEY, 4);
  labelString = column(L.LABEL_STRING, 4);
  labelUnit = column(L.LABEL_UNIT, 4);
}
