/**
 * The symbols kernel: from a decoded profile to keys. Strings, functions, frames, stacks and keys have one numbering for the
 * life of the kernel; src/symbols/kernel.ts is the other side.
 *
 * For each profile JavaScript writes the counts, calls `room`, writes the columns, and calls `internSymbols`, then, once it has
 * given a label set to each new entry of ARRIVED, `internStacks`.
 */
import * as L from '../../src/symbols/kernel-layout';
import { Growing } from './growing';
import { get, getWide, HEADER, set, setSlot, slot } from '../memory';
import * as P from './profile';
import { Records, Sequences } from './records';
import { Stacks } from './stacks';
import { Strings } from './strings';

const NONE = -1;
/** A string that will be looked up with the others. */
const WANTED = -2;
/** Entry 0 of functions, places and addresses: nothing is known. */
const NOTHING = 0;

const strings = new Strings();
const functions = new Records(L.FUNCTION_WIDTH, L.FUNCTIONS);
const places = new Records(L.PLACE_WIDTH, L.PLACES);
const addresses = new Records(L.ADDRESS_WIDTH, L.ADDRESSES);
const frames = new Records(L.FRAME_WIDTH, L.FRAMES);
const stacks = new Stacks();
/** Labels of samples as they came, LABEL_WIDTH items each. */
const arrived = new Sequences(L.ARRIVED, L.ARRIVED_ITEMS);
const labelSetOfArrived = new Growing(L.LABEL_SET_OF, 1024);
const scratch = new Growing(-1, 1024);
let hasLabels = false;

memory.fill(scratch.data, 0, L.ADDRESS_WIDTH * 4);
functions.intern(scratch.data);
places.intern(scratch.data);
addresses.intern(scratch.data);

export function header(): usize {
  return HEADER;
}

export function room(): void {
  P.makeRoom();
}

/** All of a profile but its stacks. */
export function internSymbols(): void {
  internStrings();
  internFunctions();
  internPlaces();
  internLocations();
  internLabels();
}

/** Writes the key of each sample to KEY_OF. */
export function internStacks(): void {
  const samples = slot(L.SAMPLE_COUNT);
  if (hasLabels) {
    for (let s = 0; s < samples; s++) {
      const entry = get(P.labelSetOf, s);
      set(P.labelSetOf, s, entry < 0 ? 0 : get(labelSetOfArrived.data, entry));
    }
  }
  stacks.internAll(samples, P.locationOf, hasLabels ? P.labelSetOf : 0, P.keyOf);
}

function want(index: i32, count: i32): i32 {
  if (get(P.stringOf, index) !== NONE) return count;
  set(P.stringOf, index, WANTED);
  set(P.wanted, count, index);
  return count + 1;
}

/** All strings that functions and mappings use; those of labels follow when they are met. */
function internStrings(): void {
  memory.fill(P.stringOf, 0xff, (<usize>slot(L.STRING_COUNT)) << 2);
  let count = 0;
  const functionCount = slot(L.FUNCTION_COUNT);
  for (let f = 0; f < functionCount; f++) {
    count = want(get(P.addressAt(L.FUNCTION_NAME), f), count);
    count = want(get(P.addressAt(L.FUNCTION_SYSTEM_NAME), f), count);
    count = want(get(P.addressAt(L.FUNCTION_FILE), f), count);
  }
  const mappingCount = slot(L.MAPPING_COUNT);
  for (let m = 0; m < mappingCount; m++) {
    count = want(get(P.addressAt(L.MAPPING_FILE), m), count);
    count = want(get(P.addressAt(L.MAPPING_BUILD_ID), m), count);
  }
  strings.internAll(P.wanted, count, P.stringOf);
}

/** Number of the profile's string `index`. */
function stringAt(index: i32): i32 {
  let string = get(P.stringOf, index);
  if (string === NONE) {
    const start = get(P.addressAt(L.STRING_START), index);
    const length = <usize>(get(P.addressAt(L.STRING_END), index) - start);
    string = strings.intern(P.addressAt(L.BYTES) + <usize>start, length);
    set(P.stringOf, index, string);
  }
  return string;
}

function internFunctions(): void {
  const count = slot(L.FUNCTION_COUNT);
  let row = P.rows;
  for (let f = 0; f < count; f++, row += L.FUNCTION_WIDTH * 4) {
    set(row, 0, get(P.stringOf, get(P.addressAt(L.FUNCTION_NAME), f)));
    set(row, 1, get(P.stringOf, get(P.addressAt(L.FUNCTION_SYSTEM_NAME), f)));
    set(row, 2, get(P.stringOf, get(P.addressAt(L.FUNCTION_FILE), f)));
    store<u64>(row, getWide(P.addressAt(L.FUNCTION_START_LINE), f), 12);
  }
  functions.internAll(P.rows, count, P.functionOf);
}

function internPlaces(): void {
  const count = slot(L.MAPPING_COUNT);
  for (let m = 0; m < count; m++) {
    set(scratch.data, 0, stringAt(get(P.addressAt(L.MAPPING_FILE), m)));
    set(scratch.data, 1, stringAt(get(P.addressAt(L.MAPPING_BUILD_ID), m)));
    set(P.placeOf, m, places.intern(scratch.data));
  }
}

function internLocations(): void {
  frames.internAll(P.rows, writeFrames(), P.frameOf);
  const count = slot(L.LOCATION_COUNT);
  const firstLine = P.addressAt(L.LOCATION_FIRST_LINE);
  let frame = P.frameOf;
  for (let l = 0; l < count; l++) {
    const length = get(firstLine, l + 1) - get(firstLine, l);
    if (length <= 1) {
      set(P.locationOf, l, load<i32>(frame));
      frame += 4;
    } else {
      set(P.locationOf, l, -1 - stacks.inlined.intern(frame, length));
      frame += (<usize>length) << 2;
    }
  }
}

/** Writes the frames of all locations to `rows`, each location's root first; returns how many there are. */
function writeFrames(): i32 {
  const count = slot(L.LOCATION_COUNT);
  const firstLine = P.addressAt(L.LOCATION_FIRST_LINE);
  let row = P.rows;
  for (let l = 0; l < count; l++) {
    const mapping = get(P.addressAt(L.LOCATION_MAPPING), l);
    const place = mapping < 0 ? NOTHING : get(P.placeOf, mapping);
    const folded = load<u8>(P.addressAt(L.LOCATION_FOLDED) + <usize>l) === 0 ? 0 : L.FRAME_FOLDED;
    const innermost = get(firstLine, l);
    const outermost = get(firstLine, l + 1) - 1;
    if (outermost < innermost) {
      memory.fill(row, 0, L.FRAME_WIDTH * 4);
      endFrame(row, place, addressOf(l), folded);
      row += L.FRAME_WIDTH * 4;
    }
    // The last line is the outermost function: the caller of those before it.
    for (let i = outermost; i >= innermost; i--, row += L.FRAME_WIDTH * 4) {
      const fn = get(P.functionOf, get(P.addressAt(L.LINE_FUNCTION), i));
      set(row, 0, fn);
      store<u64>(row, getWide(P.addressAt(L.LINE_LINE), i), 4);
      store<u64>(row, getWide(P.addressAt(L.LINE_COLUMN), i), 12);
      const flags = i === outermost ? folded : folded | L.FRAME_INLINED;
      endFrame(row, place, isSymbolized(fn) ? NOTHING : addressOf(l), flags);
    }
  }
  return <i32>((row - P.rows) / (L.FRAME_WIDTH * 4));
}

function endFrame(row: usize, place: i32, address: i32, flags: i32): void {
  set(row, 5, place);
  set(row, 6, address);
  set(row, 7, flags);
}

/** True when functions say what code this is, so that its address does not matter. */
function isSymbolized(fn: i32): bool {
  const fields = functions.entry(fn);
  return get(fields, 0) !== 0 || get(fields, 1) !== 0;
}

function addressOf(location: i32): i32 {
  const mapping = get(P.addressAt(L.LOCATION_MAPPING), location);
  const fields = scratch.data;
  store<u64>(fields, mapping < 0 ? 0 : getWide(P.addressAt(L.MAPPING_START), mapping));
  store<u64>(fields, mapping < 0 ? 0 : getWide(P.addressAt(L.MAPPING_LIMIT), mapping), 8);
  store<u64>(fields, mapping < 0 ? 0 : getWide(P.addressAt(L.MAPPING_OFFSET), mapping), 16);
  store<u64>(fields, getWide(P.addressAt(L.LOCATION_ADDRESS), location), 24);
  return addresses.intern(fields);
}

/** Entry of the labels of each sample, -1 for one without. */
function internLabels(): void {
  const samples = slot(L.SAMPLE_COUNT);
  const firstLabel = P.addressAt(L.SAMPLE_FIRST_LABEL);
  hasLabels = slot(L.LABEL_COUNT) > 0;
  if (!hasLabels) return;
  for (let s = 0; s < samples; s++) {
    const first = get(firstLabel, s);
    const count = get(firstLabel, s + 1) - first;
    set(P.labelSetOf, s, count === 0 ? NONE : labelsAt(first, count));
  }
  labelSetOfArrived.reserve(arrived.count);
  setSlot(L.ARRIVED + 1, arrived.count);
}

function labelsAt(first: i32, count: i32): i32 {
  scratch.reserve(count * L.LABEL_WIDTH);
  let item = scratch.data;
  for (let label = first; label < first + count; label++, item += L.LABEL_WIDTH * 4) {
    const text = get(P.addressAt(L.LABEL_STRING), label);
    const isNumber = text < 0;
    set(item, 0, stringAt(get(P.addressAt(L.LABEL_KEY), label)));
    set(item, 1, isNumber ? NONE : stringAt(text));
    set(item, 2, isNumber ? stringAt(get(P.addressAt(L.LABEL_UNIT), label)) : 0);
    store<u64>(item, isNumber ? getWide(P.addressAt(L.LABEL_NUMBER), label) : 0, 12);
  }
  return arrived.intern(scratch.data, count * L.LABEL_WIDTH);
}
