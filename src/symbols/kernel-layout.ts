/**
 * What the symbols kernel (kernels/symbols, AssemblyScript) and kernel.ts say to one another through the kernel's memory: a
 * header of 32-bit slots. Plain numbers only, since both languages read this file.
 */

/** How many of each the profile has; written by JavaScript before `room`. */
export const BYTE_COUNT = 0;
export const STRING_COUNT = 1;
export const FUNCTION_COUNT = 2;
export const MAPPING_COUNT = 3;
export const LOCATION_COUNT = 4;
export const LINE_COUNT = 5;
export const SAMPLE_COUNT = 6;
export const ENTRY_COUNT = 7;
export const LABEL_COUNT = 8;

/** Addresses of the profile's columns (formats/pprof/decoded.ts), where JavaScript writes them after `room`. */
export const BYTES = 9;
export const STRING_START = 10;
export const STRING_END = 11;
export const FUNCTION_NAME = 12;
export const FUNCTION_SYSTEM_NAME = 13;
export const FUNCTION_FILE = 14;
export const FUNCTION_START_LINE = 15;
export const MAPPING_START = 16;
export const MAPPING_LIMIT = 17;
export const MAPPING_OFFSET = 18;
export const MAPPING_FILE = 19;
export const MAPPING_BUILD_ID = 20;
export const LOCATION_MAPPING = 21;
export const LOCATION_ADDRESS = 22;
export const LOCATION_FOLDED = 23;
export const LOCATION_FIRST_LINE = 24;
export const LINE_FUNCTION = 25;
export const LINE_LINE = 26;
export const LINE_COLUMN = 27;
export const SAMPLE_FIRST_LOCATION = 28;
export const SAMPLE_LOCATION = 29;
export const SAMPLE_FIRST_LABEL = 30;
export const LABEL_KEY = 31;
export const LABEL_STRING = 32;
export const LABEL_NUMBER = 33;
export const LABEL_UNIT = 34;

/** Address of the key of each sample, after `internStacks`. */
export const KEY_OF = 35;

/**
 * Tables: from each of these on the address of its content, its entries, and the elements there is room for. A table of
 * sequences (strings, label sets as they arrived) has where each begins as its content, and its items as another.
 */
export const STRINGS = 36;
export const STRING_BYTES = 39;
export const FUNCTIONS = 42;
export const PLACES = 45;
export const ADDRESSES = 48;
export const FRAMES = 51;
export const NODE_PARENTS = 54;
export const NODE_FRAMES = 57;
export const KEY_NODES = 60;
export const KEY_LABEL_SETS = 63;
export const ARRIVED = 66;
export const ARRIVED_ITEMS = 69;
/** The label set of each entry of ARRIVED; JavaScript writes those that are new between the two calls. */
export const LABEL_SET_OF = 72;

/** Bytes of all tables. */
export const TABLE_BYTES = 75;

export const SLOTS = 76;

/** Fields of a function's record: numbers of strings, and the start line as two halves. */
export const FUNCTION_WIDTH = 5;
/** Of a place: numbers of strings. */
export const PLACE_WIDTH = 2;
/** Of an address: start, limit and offset of the mapping and the address itself, 64 bits each. */
export const ADDRESS_WIDTH = 8;
/** Of a frame: function, line and column as two halves each, place, address, flags. */
export const FRAME_WIDTH = 8;
/** Of a label: key, string (-1 when numeric), unit, the number as two halves. */
export const LABEL_WIDTH = 5;
export const FRAME_INLINED = 1;
export const FRAME_FOLDED = 2;
