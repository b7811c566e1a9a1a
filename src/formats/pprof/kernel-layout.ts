/**
 * What the pprof kernel (kernels/pprof, AssemblyScript) and decode.ts say to one another through the kernel's memory: a header of
 * 32-bit slots. Plain numbers only, since both languages read this file.
 */

/** Why a call stopped; 0 where it did not. */
export const ERROR = 0;
/** Byte of the profile at which it stopped. */
export const ERROR_AT = 1;
/** What else the message needs: two numbers. */
export const ERROR_DETAIL = 2;
export const ERROR_DETAIL_2 = 3;
/** Rises when a column moved. */
export const LAYOUT = 4;

export const STRING_COUNT = 5;
export const SAMPLE_TYPE_COUNT = 6;
export const MAPPING_COUNT = 7;
export const FUNCTION_COUNT = 8;
export const LOCATION_COUNT = 9;
export const LINE_COUNT = 10;
export const SAMPLE_COUNT = 11;
export const COMMENT_COUNT = 12;

/** String indexes. */
export const PERIOD_TYPE = 13;
export const PERIOD_UNIT = 14;
export const DROP_FRAMES = 15;
export const KEEP_FRAMES = 16;
export const DEFAULT_SAMPLE_TYPE = 17;
export const DOC_URL = 18;

/** Numbers of 64 bits: two slots each. */
export const TIME_NS = 20;
export const DURATION_NS = 22;
export const PERIOD = 24;

/** Bounds, written once by JavaScript (base/limits.ts). */
export const SAMPLES_MAX = 26;
export const SYMBOLS_MAX = 27;
export const ENTRIES_MAX = 28;
export const SAMPLE_TYPES_MAX = 29;
export const STACK_DEPTH_MAX = 30;
export const SAMPLE_LABELS_MAX = 31;
export const STRING_BYTES_MAX = 32;
export const COMMENTS_MAX = 33;

/** Elements that there is room for in each of the columns of a group. */
export const STRING_CAPACITY = 34;
export const MAPPING_CAPACITY = 35;
export const FUNCTION_CAPACITY = 36;
export const LOCATION_CAPACITY = 37;
export const LINE_CAPACITY = 38;
export const SAMPLE_CAPACITY = 39;
export const ENTRY_CAPACITY = 40;
export const VALUE_CAPACITY = 41;
export const LABEL_CAPACITY = 42;

/** Addresses of the columns of a decoded profile (decoded.ts). */
export const STRING_START = 43;
export const STRING_END = 44;
export const SAMPLE_TYPE_TYPE = 45;
export const SAMPLE_TYPE_UNIT = 46;
export const COMMENT = 47;
export const MAPPING_START = 48;
export const MAPPING_LIMIT = 49;
export const MAPPING_OFFSET = 50;
export const MAPPING_FILE = 51;
export const MAPPING_BUILD_ID = 52;
export const FUNCTION_NAME = 53;
export const FUNCTION_SYSTEM_NAME = 54;
export const FUNCTION_FILE = 55;
export const FUNCTION_START_LINE = 56;
export const LOCATION_MAPPING = 57;
export const LOCATION_ADDRESS = 58;
export const LOCATION_FOLDED = 59;
export const LOCATION_FIRST_LINE = 60;
export const LINE_FUNCTION = 61;
export const LINE_LINE = 62;
export const LINE_COLUMN = 63;
export const SAMPLE_FIRST_LOCATION = 64;
export const SAMPLE_LOCATION = 65;
export const SAMPLE_VALUE = 66;
export const SAMPLE_FIRST_LABEL = 67;
export const LABEL_KEY = 68;
export const LABEL_STRING = 69;
export const LABEL_NUMBER = 70;
export const LABEL_UNIT = 71;

/** Counters of what was dropped or cut, from here on: damage.ts says what each means. */
export const DAMAGE = 72;
export const DAMAGE_SAMPLE_VALUES = 0;
export const DAMAGE_STACK_DEPTH = 1;
export const DAMAGE_SAMPLE_LABELS = 2;
export const DAMAGE_LOCATION_MISSING = 3;
export const DAMAGE_FUNCTION_MISSING = 4;
export const DAMAGE_MAPPING_MISSING = 5;
export const DAMAGE_ID_ZERO = 6;
export const DAMAGE_ID_DUPLICATE = 7;
export const DAMAGE_STRING_INDEX = 8;
export const DAMAGE_STRING_LENGTH = 9;
export const DAMAGE_STRING_ZERO = 10;
export const DAMAGE_COMMENTS = 11;
export const DAMAGE_KINDS = 12;

export const SLOTS = 84;

/** Values of ERROR. */
export const CUT_NUMBER = 1;
export const LONG_NUMBER = 2;
export const LONG_LENGTH = 3;
export const LONG_FIELD = 4;
export const FIELD_ZERO = 5;
/** Details: the field, its wire type. */
export const WRONG_WIRE_TYPE = 6;
/** Detail: the wire type. */
export const UNKNOWN_WIRE_TYPE = 7;
/** Details: probes, ids. */
export const COLLIDING_IDS = 8;
/** Details: one of MANY_..., the bound. */
export const TOO_MANY = 9;
/** Not an error: `reserve`, and decode again. */
export const NO_ROOM = 10;

export const MANY_STRINGS = 0;
export const MANY_MAPPINGS = 1;
export const MANY_FUNCTIONS = 2;
export const MANY_LOCATIONS = 3;
export const MANY_LINES = 4;
export const MANY_SAMPLES = 5;
export const MANY_VALUES = 6;
export const MANY_ENTRIES = 7;
export const MANY_LABELS = 8;
export const MANY_SAMPLE_TYPES = 9;
