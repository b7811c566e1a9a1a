/**
 * After the scan: the sender's ids and string numbers become indexes, and what is damaged goes. Each table is moved
 * together in one pass, and only where something was dropped. Order matters: strings, then what only names strings
 * (mappings, functions), then locations, then samples.
 */
import { LIMITS } from '../../base/limits.js';
import type { PprofArena } from './arena.js';
import { DAMAGE } from './damage.js';
import { IdTable, UNKNOWN_ID } from './id-table.js';

/** The tables from ids to indexes; kept by the decoder. */
export class IdTables {
  readonly mappings = new IdTable();
  readonly functions = new IdTable();
  readonly locations = new IdTable();
}

/** `a.stringCount` must be at least 1. */
export function resolve(a: PprofArena, tables: IdTables): void {
  resolveStrings(a);
  resolveHeader(a);
  resolveMappings(a, tables.mappings);
  resolveFunctions(a, tables.functions);
  const linesMax = resolveLocations(a, tables);
  resolveLabels(a);
  resolveStacks(a, tables.locations, linesMax);
}

function resolveStrings(a: PprofArena): void {
  const { bytes, stringStart, stringEnd, stringCount } = a;
  for (let s = 0; s < stringCount; s++) {
    const start = stringStart[s]!;
    if (stringEnd[s]! - start <= LIMITS.stringBytesMax) continue;
    let end = start + LIMITS.stringBytesMax;
    // Not inside a character: bytes 10xxxxxx continue one.
    while (end > start && (bytes[end]! & 0xc0) === 0x80) end--;
    stringEnd[s] = end;
    a.damage[DAMAGE.stringLength]!++;
  }
  if (stringEnd[0]! > stringStart[0]!) {
    stringEnd[0] = stringStart[0]!;
    a.damage[DAMAGE.stringZero]!++;
  }
}

/** `index` where it is one of a string, else 0, counted. */
function stringOrNone(a: PprofArena, index: number): number {
  if (index >>> 0 < a.stringCount) return index;
  a.damage[DAMAGE.stringIndex]!++;
  return 0;
}

function resolveHeader(a: PprofArena): void {
  for (let t = 0; t < a.sampleTypeCount; t++) {
    a.sampleTypeType[t] = stringOrNone(a, a.sampleTypeType[t]!);
    a.sampleTypeUnit[t] = stringOrNone(a, a.sampleTypeUnit[t]!);
  }
  a.periodType = stringOrNone(a, a.periodType);
  a.periodUnit = stringOrNone(a, a.periodUnit);
  a.dropFrames = stringOrNone(a, a.dropFrames);
  a.keepFrames = stringOrNone(a, a.keepFrames);
  a.defaultSampleType = stringOrNone(a, a.defaultSampleType);
  a.docUrl = stringOrNone(a, a.docUrl);
  let kept = 0;
  for (let c = 0; c < a.commentCount; c++) {
    if (a.comment[c]! >>> 0 < a.stringCount) a.comment[kept++] = a.comment[c]!;
    else a.damage[DAMAGE.stringIndex]!++;
  }
  a.commentCount = kept;
}

/** True when `token` may become an id of `table`; otherwise counts why not. */
function isNewId(a: PprofArena, table: IdTable, token: number): boolean {
  if (token === 0) a.damage[DAMAGE.idZero]!++;
  else if (table.get(token) !== UNKNOWN_ID) a.damage[DAMAGE.idDuplicate]!++;
  else return true;
  return false;
}

function moveHalves(halves: Int32Array, from: number, to: number): void {
  halves[to * 2] = halves[from * 2]!;
  halves[to * 2 + 1] = halves[from * 2 + 1]!;
}

function resolveMappings(a: PprofArena, table: IdTable): void {
  const { mappingCount, mappingId, mappingFile, mappingBuildId, stringCount } = a;
  table.begin(mappingId, mappingCount);
  let kept = 0;
  for (let m = 0; m < mappingCount; m++) {
    if (!isNewId(a, table, mappingId[m]!)) continue;
    if (mappingFile[m]! >>> 0 >= stringCount || mappingBuildId[m]! >>> 0 >= stringCount) {
      a.damage[DAMAGE.stringIndex]!++;
      continue;
    }
    table.set(mappingId[m]!, kept);
    if (kept !== m) {
      mappingFile[kept] = mappingFile[m]!;
      mappingBuildId[kept] = mappingBuildId[m]!;
      moveHalves(a.mappingStartHalves, m, kept);
      moveHalves(a.mappingLimitHalves, m, kept);
      moveHalves(a.mappingOffsetHalves, m, kept);
    }
    kept++;
  }
  a.mappingCount = kept;
}

function resolveFunctions(a: PprofArena, table: IdTable): void {
  const { functionCount, functionId, functionName, functionSystemName, functionFile } = a;
  const { stringCount } = a;
  table.begin(functionId, functionCount);
  let kept = 0;
  for (let f = 0; f < functionCount; f++) {
    const id = functionId[f]!;
    if (!isNewId(a, table, id)) continue;
    const name = functionName[f]!;
    const systemName = functionSystemName[f]!;
    const file = functionFile[f]!;
    // Unsigned, so that -1 is past the end too.
    if (name >>> 0 >= stringCount || systemName >>> 0 >= stringCount || file >>> 0 >= stringCount) {
      a.damage[DAMAGE.stringIndex]!++;
      continue;
    }
    table.set(id, kept);
    if (kept !== f) {
      functionName[kept] = name;
      functionSystemName[kept] = systemName;
      functionFile[kept] = file;
      moveHalves(a.functionStartHalves, f, kept);
    }
    kept++;
  }
  a.functionCount = kept;
}

/** Returns the most lines of one location. */
function resolveLocations(a: PprofArena, tables: IdTables): number {
  const { locationCount, locationId, locationMapping, locationFolded, locationFirstLine } = a;
  const { lineFunction } = a;
  const { functions, locations, mappings } = tables;
  locationFirstLine[locationCount] = a.lineCount;
  locations.begin(locationId, locationCount);
  let kept = 0;
  let lineKept = 0;
  let linesMax = 0;
  for (let l = 0; l < locationCount; l++) {
    const firstLine = locationFirstLine[l]!;
    const lineEnd = locationFirstLine[l + 1]!;
    const id = locationId[l]!;
    if (!isNewId(a, locations, id)) continue;
    let isSound = true;
    for (let i = firstLine; i < lineEnd; i++) {
      const index = functions.get(lineFunction[i]!);
      lineFunction[i] = index;
      if (index < 0) isSound = false;
    }
    if (!isSound) {
      a.damage[DAMAGE.functionMissing]!++;
      continue;
    }
    const mapping = locationMapping[l]!;
    let mappingIndex = -1;
    if (mapping !== 0) {
      mappingIndex = mappings.get(mapping);
      if (mappingIndex < 0) a.damage[DAMAGE.mappingMissing]!++;
    }
    locations.set(id, kept);
    locationMapping[kept] = mappingIndex;
    if (kept !== l) {
      locationFolded[kept] = locationFolded[l]!;
      moveHalves(a.locationAddressHalves, l, kept);
      for (let i = firstLine; i < lineEnd; i++) moveLine(a, i, lineKept + i - firstLine);
    }
    // Safe in place: lineKept never passes firstLine, and kept never passes l.
    locationFirstLine[kept] = lineKept;
    lineKept += lineEnd - firstLine;
    if (lineEnd - firstLine > linesMax) linesMax = lineEnd - firstLine;
    kept++;
  }
  locationFirstLine[kept] = lineKept;
  a.locationCount = kept;
  a.lineCount = lineKept;
  return linesMax;
}

function moveLine(a: PprofArena, from: number, to: number): void {
  a.lineFunction[to] = a.lineFunction[from]!;
  moveHalves(a.lineLineHalves, from, to);
  moveHalves(a.lineColumnHalves, from, to);
}

/** Drops damaged labels; their samples stay. */
function resolveLabels(a: PprofArena): void {
  const { labelCount, labelKey, labelString, labelUnit, sampleFirstLabel, stringCount } = a;
  let kept = 0;
  let sample = 0;
  for (let l = 0; l < labelCount; l++) {
    while (sampleFirstLabel[sample]! <= l) sampleFirstLabel[sample++] = kept;
    const string = labelString[l]!;
    const isString = string !== -1;
    if (
      labelKey[l]! >>> 0 >= stringCount ||
      labelUnit[l]! >>> 0 >= stringCount ||
      (isString && string >>> 0 >= stringCount)
    ) {
      a.damage[DAMAGE.stringIndex]!++;
      continue;
    }
    if (kept !== l) {
      labelKey[kept] = labelKey[l]!;
      labelString[kept] = string;
      labelUnit[kept] = labelUnit[l]!;
      moveHalves(a.labelNumberHalves, l, kept);
    }
    kept++;
  }
  for (; sample <= a.sampleCount; sample++) sampleFirstLabel[sample] = kept;
  a.labelCount = kept;
}

function resolveStacks(a: PprofArena, table: IdTable, linesMax: number): void {
  const areAllKnown = resolveEntries(a, table);
  if (!areAllKnown || a.depthMax * linesMax > LIMITS.stackDepthMax) repairStacks(a);
}

/** Turns all locations of stacks into indexes; says whether all are there. */
function resolveEntries(a: PprofArena, table: IdTable): boolean {
  const { sampleLocation, entryCount } = a;
  const { dense, denseLength } = table;
  let signs = 0;
  if (dense === null) {
    for (let i = 0; i < entryCount; i++) {
      const index = table.get(sampleLocation[i]!);
      sampleLocation[i] = index;
      signs |= index;
    }
  } else {
    for (let i = 0; i < entryCount; i++) {
      const token = sampleLocation[i]!;
      const index = token >>> 0 < denseLength ? dense[token]! : UNKNOWN_ID;
      sampleLocation[i] = index;
      signs |= index;
    }
  }
  return signs >= 0;
}

/** Drops samples with a location that is missing; cuts stacks that inlined frames make too deep, at their leaf. */
function repairStacks(a: PprofArena): void {
  const { sampleFirstLocation, sampleFirstLabel, sampleLocation, sampleValueHalves } = a;
  const halvesPerSample = a.sampleTypeCount * 2;
  let kept = 0;
  let entryKept = 0;
  let labelKept = 0;
  for (let s = 0; s < a.sampleCount; s++) {
    const sent = sampleFirstLocation[s]!;
    const end = sampleFirstLocation[s + 1]!;
    const firstLabel = sampleFirstLabel[s]!;
    const labelEnd = sampleFirstLabel[s + 1]!;
    const first = firstKeptEntry(a, sent, end);
    if (first < 0) {
      a.damage[DAMAGE.locationMissing]!++;
      continue;
    }
    if (first > sent) a.damage[DAMAGE.stackDepth]!++;
    if (entryKept !== first) sampleLocation.copyWithin(entryKept, first, end);
    if (kept !== s) {
      sampleValueHalves.copyWithin(
        kept * halvesPerSample,
        s * halvesPerSample,
        (s + 1) * halvesPerSample,
      );
      moveLabels(a, firstLabel, labelEnd, labelKept);
    }
    sampleFirstLocation[kept] = entryKept;
    sampleFirstLabel[kept] = labelKept;
    entryKept += end - first;
    labelKept += labelEnd - firstLabel;
    kept++;
  }
  sampleFirstLocation[kept] = entryKept;
  sampleFirstLabel[kept] = labelKept;
  a.sampleCount = kept;
  a.entryCount = entryKept;
  a.labelCount = labelKept;
}

/** The first of `sampleLocation[first, end)` that is not too deep, counted from the root; -1 when one is missing. */
function firstKeptEntry(a: PprofArena, first: number, end: number): number {
  const { sampleLocation, locationFirstLine } = a;
  let frames = 0;
  let kept = end;
  for (let i = end - 1; i >= first; i--) {
    const location = sampleLocation[i]!;
    if (location < 0) return -1;
    frames += Math.max(1, locationFirstLine[location + 1]! - locationFirstLine[location]!);
    if (frames <= LIMITS.stackDepthMax) kept = i;
  }
  return kept;
}

function moveLabels(a: PprofArena, first: number, end: number, to: number): void {
  a.labelKey.copyWithin(to, first, end);
  a.labelString.copyWithin(to, first, end);
  a.labelUnit.copyWithin(to, first, end);
  a.labelNumberHalves.copyWithin(to * 2, first * 2, end * 2);
}
