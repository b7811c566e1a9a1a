/** Where JavaScript writes the columns of a profile, and where the work on one profile keeps what it finds: one block. */
import * as L from '../../src/symbols/kernel-layout';
import { setSlot, slot } from '../memory';

/** Process-wide numbers by the profile's indexes. */
export let stringOf: usize = 0;
export let functionOf: usize = 0;
export let placeOf: usize = 0;
export let locationOf: usize = 0;
/** Of each line, and of each location without any. */
export let frameOf: usize = 0;
/** Of samples: the entry of its labels as they arrived, later its label set. */
export let labelSetOf: usize = 0;
export let keyOf: usize = 0;
/** Strings to look up. */
export let wanted: usize = 0;
/** Records to look up. */
export let rows: usize = 0;

/** Of the profile's column with this slot. */
export function addressAt(index: i32): usize {
  return <usize>slot(index);
}

let block: usize = 0;
let blockBytes: u64 = 0;
/** 64 bits: a profile may need more than there is. */
let next: u64 = 0;
/** What the allocator gives at most. */
const BLOCK_BYTES_MAX: u64 = 1 << 30;

function column(address: i32, count: i32, elementBytes: u64): usize {
  const start = block + <usize>next;
  next += <u64>count * elementBytes;
  if (address >= 0) setSlot(address, <i32>start);
  return start;
}

/** Lays all columns out from `block` on; returns their size. */
function layOut(): u64 {
  const strings = slot(L.STRING_COUNT);
  const functions = slot(L.FUNCTION_COUNT);
  const mappings = slot(L.MAPPING_COUNT);
  const locations = slot(L.LOCATION_COUNT);
  const lines = slot(L.LINE_COUNT);
  const samples = slot(L.SAMPLE_COUNT);
  const labels = slot(L.LABEL_COUNT);
  next = 0;
  column(L.FUNCTION_START_LINE, functions, 8);
  column(L.MAPPING_START, mappings, 8);
  column(L.MAPPING_LIMIT, mappings, 8);
  column(L.MAPPING_OFFSET, mappings, 8);
  column(L.LOCATION_ADDRESS, locations, 8);
  column(L.LINE_LINE, lines, 8);
  column(L.LINE_COLUMN, lines, 8);
  column(L.LABEL_NUMBER, labels, 8);
  column(L.STRING_START, strings, 4);
  column(L.STRING_END, strings, 4);
  column(L.FUNCTION_NAME, functions, 4);
  column(L.FUNCTION_SYSTEM_NAME, functions, 4);
  column(L.FUNCTION_FILE, functions, 4);
  column(L.MAPPING_FILE, mappings, 4);
  column(L.MAPPING_BUILD_ID, mappings, 4);
  column(L.LOCATION_MAPPING, locations, 4);
  column(L.LOCATION_FIRST_LINE, locations + 1, 4);
  column(L.LINE_FUNCTION, lines, 4);
  column(L.SAMPLE_FIRST_LOCATION, samples + 1, 4);
  column(L.SAMPLE_LOCATION, slot(L.ENTRY_COUNT), 4);
  column(L.SAMPLE_FIRST_LABEL, samples + 1, 4);
  column(L.LABEL_KEY, labels, 4);
  column(L.LABEL_STRING, labels, 4);
  column(L.LABEL_UNIT, labels, 4);
  stringOf = column(-1, strings, 4);
  wanted = column(-1, strings, 4);
  functionOf = column(-1, functions, 4);
  placeOf = column(-1, mappings, 4);
  locationOf = column(-1, locations, 4);
  frameOf = column(-1, lines + locations, 4);
  labelSetOf = column(-1, samples, 4);
  keyOf = column(L.KEY_OF, samples, 4);
  const recordFields = max(functions * L.FUNCTION_WIDTH, (lines + locations) * L.FRAME_WIDTH);
  rows = column(-1, recordFields, 4);
  column(L.LOCATION_FOLDED, locations, 1);
  column(L.BYTES, slot(L.BYTE_COUNT), 1);
  return next;
}

/** Makes room for what the header counts; traps where there is none. */
export function makeRoom(): void {
  const sizeBytes = layOut();
  if (sizeBytes <= blockBytes) return;
  if (sizeBytes >= BLOCK_BYTES_MAX) unreachable();
  const old = block;
  block = 0;
  blockBytes = 0;
  if (old !== 0) heap.free(old);
  // Some more, so that not every slightly larger profile wants another block.
  const wanted = min(sizeBytes + min(sizeBytes >> 1, 1 << 20), BLOCK_BYTES_MAX - 1024);
  block = heap.alloc(<usize>wanted);
  blockBytes = wanted;
  layOut();
}
