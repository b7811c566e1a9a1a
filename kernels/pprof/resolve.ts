/**
 * After the scan: the sender's ids and string numbers become indexes, and what is damaged goes. Each table is moved
 * together in one pass, and only where something was dropped. Order matters: strings, then what only names strings
 * (mappings, functions), then locations, then samples. What is left of each is counted in the header.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { get, set, setSlot, slot } from '../memory';
import * as C from './columns';
import { countDamage, profileAt } from './header';
import { IdTable, UNKNOWN_ID } from './ids';
import * as S from './scan';

const mappings = new IdTable();
const functions = new IdTable();
const locations = new IdTable();

/** Of samples, their stacks and labels, while they are repaired. */
let labelKept: i32 = 0;

/** There must be a string. */
export function resolve(): void {
  resolveStrings();
  resolveHeader();
  resolveMappings();
  resolveFunctions();
  const linesMax = resolveLocations();
  resolveLabels();
  setSlot(L.SAMPLE_COUNT, S.sampleCount);
  const areAllKnown = resolveEntries();
  const framesMax = <i64>S.depthMax * linesMax;
  if (!areAllKnown || framesMax > <i64>slot(L.STACK_DEPTH_MAX)) repairStacks();
}

function resolveStrings(): void {
  const bytesMax = slot(L.STRING_BYTES_MAX);
  for (let s = 0; s < S.stringCount; s++) {
    const start = get(C.stringStart, s);
    if (get(C.stringEnd, s) - start <= bytesMax) continue;
    let end = start + bytesMax;
    // Not inside a character: bytes 10xxxxxx continue one.
    while (end > start && (load<u8>(profileAt + <usize>end) & 0xc0) === 0x80) end--;
    set(C.stringEnd, s, end);
    countDamage(L.DAMAGE_STRING_LENGTH);
  }
  if (get(C.stringEnd, 0) > get(C.stringStart, 0)) {
    set(C.stringEnd, 0, get(C.stringStart, 0));
    countDamage(L.DAMAGE_STRING_ZERO);
  }
  setSlot(L.STRING_COUNT, S.stringCount);
}

/** Unsigned, so that -1 is past the end too. */
function isString(index: i32): bool {
  return <u32>index < <u32>S.stringCount;
}

/** `index` where it is one of a string, else 0, counted. */
function stringOrNone(index: i32): i32 {
  if (isString(index)) return index;
  countDamage(L.DAMAGE_STRING_INDEX);
  return 0;
}

function resolveHeader(): void {
  for (let t = 0; t < S.sampleTypeCount; t++) {
    set(C.sampleTypeType, t, stringOrNone(get(C.sampleTypeType, t)));
    set(C.sampleTypeUnit, t, stringOrNone(get(C.sampleTypeUnit, t)));
  }
  setSlot(L.SAMPLE_TYPE_COUNT, S.sampleTypeCount);
  for (let field = L.PERIOD_TYPE; field <= L.DOC_URL; field++) {
    setSlot(field, stringOrNone(slot(field)));
  }
  let kept = 0;
  for (let c = 0; c < S.commentCount; c++) {
    const index = get(C.comment, c);
    if (isString(index)) set(C.comment, kept++, index);
    else countDamage(L.DAMAGE_STRING_INDEX);
  }
  setSlot(L.COMMENT_COUNT, kept);
}

/** True when `token` may become an id of `table`; otherwise counts why not. */
function isNewId(table: IdTable, token: i32): bool {
  if (token === 0) countDamage(L.DAMAGE_ID_ZERO);
  else if (table.get(token) !== UNKNOWN_ID) countDamage(L.DAMAGE_ID_DUPLICATE);
  else return true;
  return false;
}

function resolveMappings(): void {
  mappings.begin(C.mappingId, S.mappingCount);
  let kept = 0;
  for (let m = 0; m < S.mappingCount; m++) {
    const id = get(C.mappingId, m);
    if (!isNewId(mappings, id)) continue;
    if (!isString(get(C.mappingFile, m)) || !isString(get(C.mappingBuildId, m))) {
      countDamage(L.DAMAGE_STRING_INDEX);
      continue;
    }
    mappings.set(id, kept);
    if (kept !== m) {
      set(C.mappingFile, kept, get(C.mappingFile, m));
      set(C.mappingBuildId, kept, get(C.mappingBuildId, m));
      C.moveWide(C.mappingStart, m, kept);
      C.moveWide(C.mappingLimit, m, kept);
      C.moveWide(C.mappingOffset, m, kept);
    }
    kept++;
  }
  setSlot(L.MAPPING_COUNT, kept);
}

function resolveFunctions(): void {
  functions.begin(C.functionId, S.functionCount);
  let kept = 0;
  for (let f = 0; f < S.functionCount; f++) {
    const id = get(C.functionId, f);
    if (!isNewId(functions, id)) continue;
    const name = get(C.functionName, f);
    const systemName = get(C.functionSystemName, f);
    const file = get(C.functionFile, f);
    if (!isString(name) || !isString(systemName) || !isString(file)) {
      countDamage(L.DAMAGE_STRING_INDEX);
      continue;
    }
    functions.set(id, kept);
    if (kept !== f) {
      set(C.functionName, kept, name);
      set(C.functionSystemName, kept, systemName);
      set(C.functionFile, kept, file);
      C.moveWide(C.functionStartLine, f, kept);
    }
    kept++;
  }
  setSlot(L.FUNCTION_COUNT, kept);
}

/** Turns the functions of a location's lines into indexes; says whether all are there. */
function resolveLines(first: i32, end: i32): bool {
  let isSound = true;
  for (let i = first; i < end; i++) {
    const index = functions.get(get(C.lineFunction, i));
    set(C.lineFunction, i, index);
    if (index < 0) isSound = false;
  }
  return isSound;
}

/** Returns the most lines of one location. */
function resolveLocations(): i32 {
  const count = S.locationCount;
  set(C.locationFirstLine, count, S.lineCount);
  locations.begin(C.locationId, count);
  let kept = 0;
  let lineKept = 0;
  let linesMax = 0;
  for (let l = 0; l < count; l++) {
    const firstLine = get(C.locationFirstLine, l);
    const lineEnd = get(C.locationFirstLine, l + 1);
    const id = get(C.locationId, l);
    if (!isNewId(locations, id)) continue;
    if (!resolveLines(firstLine, lineEnd)) {
      countDamage(L.DAMAGE_FUNCTION_MISSING);
      continue;
    }
    const mapping = get(C.locationMapping, l);
    let mappingIndex = -1;
    if (mapping !== 0) {
      mappingIndex = mappings.get(mapping);
      if (mappingIndex < 0) countDamage(L.DAMAGE_MAPPING_MISSING);
    }
    locations.set(id, kept);
    set(C.locationMapping, kept, mappingIndex);
    if (kept !== l) {
      store<u8>(C.locationFolded + <usize>kept, load<u8>(C.locationFolded + <usize>l));
      C.moveWide(C.locationAddress, l, kept);
      for (let i = firstLine; i < lineEnd; i++) moveLine(i, lineKept + i - firstLine);
    }
    // Safe in place: lineKept never passes firstLine, and kept never passes l.
    set(C.locationFirstLine, kept, lineKept);
    lineKept += lineEnd - firstLine;
    linesMax = max(linesMax, lineEnd - firstLine);
    kept++;
  }
  set(C.locationFirstLine, kept, lineKept);
  setSlot(L.LOCATION_COUNT, kept);
  setSlot(L.LINE_COUNT, lineKept);
  return linesMax;
}

function moveLine(from: i32, to: i32): void {
  set(C.lineFunction, to, get(C.lineFunction, from));
  C.moveWide(C.lineLine, from, to);
  C.moveWide(C.lineColumn, from, to);
}

/** Drops damaged labels; their samples stay. */
function resolveLabels(): void {
  let kept = 0;
  let sample = 0;
  for (let l = 0; l < S.labelCount; l++) {
    while (get(C.sampleFirstLabel, sample) <= l) set(C.sampleFirstLabel, sample++, kept);
    const text = get(C.labelString, l);
    if (
      !isString(get(C.labelKey, l)) ||
      !isString(get(C.labelUnit, l)) ||
      (text !== -1 && !isString(text))
    ) {
      countDamage(L.DAMAGE_STRING_INDEX);
      continue;
    }
    if (kept !== l) moveLabel(l, kept);
    kept++;
  }
  for (; sample <= S.sampleCount; sample++) set(C.sampleFirstLabel, sample, kept);
}

function moveLabel(from: i32, to: i32): void {
  set(C.labelKey, to, get(C.labelKey, from));
  set(C.labelString, to, get(C.labelString, from));
  set(C.labelUnit, to, get(C.labelUnit, from));
  C.moveWide(C.labelNumber, from, to);
}

/** Turns all locations of stacks into indexes; says whether all are there. */
function resolveEntries(): bool {
  const end = C.sampleLocation + ((<usize>S.entryCount) << 2);
  let signs: i32 = 0;
  if (!locations.isDense) {
    for (let at = C.sampleLocation; at < end; at += 4) {
      const index = locations.get(load<i32>(at));
      store<i32>(at, index);
      signs |= index;
    }
    return signs >= 0;
  }
  const dense = locations.dense;
  const denseLength = locations.denseLength;
  for (let at = C.sampleLocation; at < end; at += 4) {
    const token = load<u32>(at);
    const index = token < denseLength ? load<i32>(dense + ((<usize>token) << 2)) : UNKNOWN_ID;
    store<i32>(at, index);
    signs |= index;
  }
  return signs >= 0;
}

/** Drops samples with a location that is missing; cuts stacks that inlined frames make too deep, at their leaf. */
function repairStacks(): void {
  const valueBytes = (<usize>S.sampleTypeCount) << 3;
  let kept = 0;
  let entryKept = 0;
  labelKept = 0;
  for (let s = 0; s < S.sampleCount; s++) {
    const sent = get(C.sampleFirstLocation, s);
    const end = get(C.sampleFirstLocation, s + 1);
    const firstLabel = get(C.sampleFirstLabel, s);
    const labelEnd = get(C.sampleFirstLabel, s + 1);
    const first = firstKeptEntry(sent, end);
    if (first < 0) {
      countDamage(L.DAMAGE_LOCATION_MISSING);
      continue;
    }
    if (first > sent) countDamage(L.DAMAGE_STACK_DEPTH);
    const to = C.sampleLocation + ((<usize>entryKept) << 2);
    memory.copy(to, C.sampleLocation + ((<usize>first) << 2), (<usize>(end - first)) << 2);
    const row = C.sampleValue + <usize>s * valueBytes;
    memory.copy(C.sampleValue + <usize>kept * valueBytes, row, valueBytes);
    set(C.sampleFirstLocation, kept, entryKept);
    set(C.sampleFirstLabel, kept, labelKept);
    for (let l = firstLabel; l < labelEnd; l++) moveLabel(l, labelKept++);
    entryKept += end - first;
    kept++;
  }
  set(C.sampleFirstLocation, kept, entryKept);
  set(C.sampleFirstLabel, kept, labelKept);
  setSlot(L.SAMPLE_COUNT, kept);
}

/** The first of the entries [first, end) that is not too deep, counted from the root; -1 when one is missing. */
function firstKeptEntry(first: i32, end: i32): i32 {
  const depthMax = slot(L.STACK_DEPTH_MAX);
  let frames = 0;
  let kept = end;
  for (let i = end - 1; i >= first; i--) {
    const location = get(C.sampleLocation, i);
    if (location < 0) return -1;
    const firstLine = get(C.locationFirstLine, location);
    frames += max(1, get(C.locationFirstLine, location + 1) - firstLine);
    if (frames <= depthMax) kept = i;
  }
  return kept;
}
